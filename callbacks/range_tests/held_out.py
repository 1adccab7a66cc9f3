"""A rehearsal that is judged by the loss on held-out images, where others are by that of their training batches."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from callbacks.range_tests.rehearsal import Rehearsal
from checks.arguments import Refusal
from datamodules.image_datamodule import ImageDataModule
from datamodules.loaders import EvalLoader
from lightning_modules import ImageClassifier
from timeline.stream import permutation
from trainer.access import datamodule_of

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


class HeldOutRehearsal(Rehearsal):
    """A copy whose loss of a step is that on a fixed number of validation images after it.

    The images are the same for every copy and every step. Batch norm normalises them by their own statistics: its
    running averages lag some ten steps behind weights that a range test moves fast. No other draw is made.

    Args:
        trainer: the run's, which has begun to train.
        batch_size: number of samples in a step, over all processes.
        seed: seed of the order of samples and of all draws.
        images: number of validation images, over all processes; all of them where there are fewer.
        first: number of the first step that is so judged; those before it have the loss of their training batch.

    Raises:
        ValueError: there are not two validation images for each process.
    """

    def __init__(self, trainer: pl.Trainer, batch_size: int | None, seed: int, images: int, first: int = 0) -> None:
        super().__init__(trainer, batch_size, seed)
        self._run, self._images, self._first = trainer, datamodule_of(trainer), first
        self._held_out = some_held_out(trainer, images)

    def step(self, number: int, lr: float) -> Tensor:
        """One optimizer step at a learning rate, as `Rehearsal.step` takes it; returns the held-out loss after it."""
        loss = super().step(number, lr)
        return loss if number < self._first else self._held_out_loss()

    def _held_out_loss(self) -> Tensor:
        """Mean loss on the images, over all processes: float64 on the device, which is not waited for."""
        data, device = self._images, self._run.strategy.root_device
        totals = self.module.eval_totals
        totals.reset()
        self.module.eval()
        with torch.inference_mode(), self._run.precision_plugin.val_step_context(), own_statistics(self.module):
            for stored in self._held_out:
                self.module.evaluate(data.model_input(stored, data.eval_transforms, self.module.dtype, device))
        self.module.train()
        total: Tensor = totals.loss_sum.clone()
        if self._run.world_size > 1:
            torch.distributed.all_reduce(total)
        return total / len(self._held_out.members)


def some_held_out(trainer: pl.Trainer, images: int) -> EvalLoader:
    """A loader of this process's share of some validation images, drawn by the seed of the split, in even batches.

    Args:
        trainer: the run's.
        images: number of images over all processes; all where there are fewer.

    Raises:
        ValueError: there are not two for each process, or they are somebody else's.
    """
    data = datamodule_of(trainer)
    if not (isinstance(data, ImageDataModule) and isinstance(trainer.lightning_module, ImageClassifier)):
        raise Refusal("on: held_out needs a model and a dataset of Cadence's own: leave it out to judge by training")
    loader: EvalLoader = data.val_dataloader()
    held, least = len(loader.members), 2 * trainer.world_size
    if held < least:
        raise Refusal(f"on: held_out needs {least} validation images or more, got {held}: raise data.val_fraction")
    chosen = torch.from_numpy(np.sort(permutation(data.split_seed, 0, held)[:images]))
    loader.members = loader.members[chosen.to(loader.members.device)]
    loader.batch_size = -(-len(chosen) // len(loader))
    return loader


@contextmanager
def own_statistics(module: nn.Module) -> Iterator[None]:
    """Let each batch norm of a module in evaluation normalise a batch by the batch's own mean and variance."""
    norms = [one for one in module.modules() if isinstance(one, NORMS)]
    averages = [(one.running_mean, one.running_var) for one in norms]
    try:
        for one in norms:
            one.running_mean = one.running_var = None
        yield
    finally:
        for one, (mean, variance) in zip(norms, averages, strict=True):
            one.running_mean, one.running_var = mean, variance
