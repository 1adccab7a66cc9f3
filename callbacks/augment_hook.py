"""Transforms of the training batches of somebody else's module, put behind its own `on_after_batch_transfer`."""

from types import CodeType
from typing import Any

import pytorch_lightning as pl

from checks.arguments import Refusal
from datamodules.augment import Augment
from trainer.access import datamodule_of, overrides

_HOOK = "on_after_batch_transfer"


class AugmentHook:
    """The module's hook, and behind it the transforms while the module trains; a copy of the module has its own.

    Args:
        module: the module.
        augment: the transforms.
    """

    def __init__(self, module: pl.LightningModule, augment: Augment) -> None:
        self._module, self._before, self._augment = module, getattr(module, _HOOK), augment

    @property
    def __code__(self) -> CodeType:
        """By which Lightning tells an overridden hook from its own."""
        return type(self).__call__.__code__

    def __call__(self, batch: Any, dataloader_idx: int) -> Any:
        """The batch for the model."""
        batch, module = self._before(batch, dataloader_idx), self._module
        return self._augment(batch, module.global_step, module.global_rank) if module.training else batch


def put_in(trainer: pl.Trainer, module: pl.LightningModule, augment: Augment, name: str) -> None:
    """Let a module's training batches be transformed.

    Args:
        trainer: the run's.
        module: the run's module.
        augment: the transforms.
        name: name of the callback, for the message.

    Raises:
        ValueError: Lightning asks the datamodule for its batches' last transform, and not the module.
    """
    data = datamodule_of(trainer)
    if data is not None and overrides(data, _HOOK, pl.LightningDataModule):
        raise Refusal(
            f"{name} has no place behind {type(data).__name__}.{_HOOK}: use datamodules.Augment there in its place"
        )
    setattr(module, _HOOK, AugmentHook(module, augment))


def take_out(module: pl.LightningModule | None) -> None:
    """Give a module its own hook back."""
    if isinstance(vars(module or object).get(_HOOK), AugmentHook):
        delattr(module, _HOOK)
