"""Some samples of anybody's validation loader, the same ones at every look."""

import copy
from collections.abc import Iterator
from typing import Any

import pytorch_lightning as pl

from callbacks.range_tests.stock_learner import rows_of
from checks.arguments import Refusal
from datamodules.redrawn import Redrawn, RedrawnLoader, seed_host
from datamodules.rerun import RerunLoader
from timeline.keys import step_key
from trainer.access import datamodule_of
from trainer.beside import moved
from trainer.stock_loaders import held_out_loaders, sampler_of, seed_of_run


class StockKept:
    """Some samples of a stranger's first validation loader, in even batches, kept on the host.

    They are drawn from all of its samples by the run's seed; a loader whose order is its own affair (an iterable
    dataset, a batch sampler) gives its first batches. At each look they are handed to the module anew, as copies, and
    what its hooks draw is the same.

    Raises:
        ValueError: the module or the data have no validation.
    """

    def __init__(self, trainer: pl.Trainer, images: int) -> None:
        loaders = [loader for loader, most in held_out_loaders(trainer) if most]
        if not loaders:
            raise Refusal(
                "on: held_out needs a validation_step and a validation loader: leave it out to go by training"
            )
        self._trainer, self._data, self._seed = trainer, datamodule_of(trainer), seed_of_run()
        rank, world = trainer.global_rank, trainer.world_size
        if (sampler := sampler_of(loaders[0])) is None:
            share = -(-images // world)
            self._batches = list(_first(RerunLoader(loaders[0], self._seed, rank), share))
            self.images = world * sum(rows_of(batch) for batch in self._batches)
            return
        numbers = Redrawn(sampler, 1, self._seed).order(0)[:images].tolist()
        count = -(-len(numbers) // (loaders[0].batch_size * world))
        stream = Redrawn(numbers, -(-len(numbers) // count), self._seed)
        drawn = RedrawnLoader(loaders[0], stream, rank, world)
        self._batches = [drawn.batch(number) for number in range(count)]
        self.images = len(numbers)

    def held_out(self, module: Any) -> Iterator[tuple[Any, int, int]]:
        """Each batch of this process, handed to the module as the run hands them."""
        seed_host(step_key(self._seed, 0, self._trainer.global_rank), self._trainer.strategy.root_device)
        for number, batch in enumerate(self._batches):
            given = copy.deepcopy(batch)  # a step may change what it is given
            yield moved(module, self._trainer, self._data, given), number, 0


def _first(loader: RerunLoader, rows: int) -> Iterator[Any]:
    """The first batches of a pass, until there are so many rows."""
    found = 0
    for batch in loader.one_pass(rows):
        yield batch
        found += rows_of(batch)
        if found >= rows:
            return
