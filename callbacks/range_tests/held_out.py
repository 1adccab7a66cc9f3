"""A rehearsal that is judged by the loss on held-out images, where others are by that of their training batches."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytorch_lightning as pl
from torch import Tensor, nn

from callbacks.range_tests.rehearsal import Rehearsal
from callbacks.range_tests.subject import data_of

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
        ValueError: there are no validation images, or not two for each process.
    """

    def __init__(self, trainer: pl.Trainer, batch_size: int | None, seed: int, images: int, first: int = 0) -> None:
        super().__init__(trainer, batch_size, seed)
        self._kept, self._first = data_of(trainer).kept(images), first

    def step(self, number: int, lr: float) -> Tensor:
        """One optimizer step at a learning rate, as `Rehearsal.step` takes it; returns the held-out loss after it."""
        loss = super().step(number, lr)
        return loss if number < self._first else self._held_out_loss()

    def _held_out_loss(self) -> Tensor:
        """Mean loss on the images, over all processes."""
        with own_statistics(self.module):
            return self.held_out_loss(self._kept)


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
