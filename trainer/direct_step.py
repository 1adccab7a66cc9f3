"""Backward and optimizer step without Lightning's hooks, where no callback and no module uses them.

Lightning calls `on_before_backward`, `on_after_backward` and `on_before_optimizer_step` of every callback and of the
module, through its strategy and its precision plugin. On one device, without a gradient scaler and with no callback
that uses those hooks, only `loss.backward()` and `optimizer.step()` remain; calling them directly saves a small network
some per cent of its step.
"""

from contextlib import AbstractContextManager, nullcontext

import pytorch_lightning as pl
from pytorch_lightning.core.optimizer import LightningOptimizer
from pytorch_lightning.plugins.precision import MixedPrecision, Precision
from pytorch_lightning.strategies import ParallelStrategy, SingleDeviceStrategy

from trainer.access import callbacks_of, overrides

_HOOKS = ("on_before_backward", "on_after_backward", "on_before_optimizer_step")


def nobody_between(module: pl.LightningModule) -> bool:
    """Whether the hooks may be skipped: one device, no gradient scaler, no callback or module that overrides them."""
    trainer = module.trainer
    if type(trainer.strategy) is not SingleDeviceStrategy or not _scales_nothing(trainer.precision_plugin):
        return False
    for hook in _HOOKS:
        if overrides(module, hook, pl.LightningModule):
            return False
        if any(overrides(callback, hook, pl.Callback) for callback in callbacks_of(trainer)):
            return False
    return not overrides(module, "optimizer_step", pl.LightningModule)


def no_exchange(trainer: pl.Trainer) -> AbstractContextManager[None]:
    """Context in which a backward pass adds to this process's gradients without exchanging them.

    The exchange of a step's last chunk sends the sum. One for each chunk would send the same numbers again and again,
    and wait for ever where processes have different numbers of chunks.
    """
    strategy = trainer.strategy
    return strategy.block_backward_sync() if isinstance(strategy, ParallelStrategy) else nullcontext()


def step_directly(optimizer: LightningOptimizer) -> None:
    """One optimizer step, counted by Lightning."""
    optimizer._on_before_step()  # what LightningOptimizer.step does around it: it advances `trainer.global_step`
    optimizer.optimizer.step()
    optimizer._on_after_step()


def _scales_nothing(precision: Precision) -> bool:
    return type(precision) is Precision or (type(precision) is MixedPrecision and precision.scaler is None)
