"""Rehearsals with anybody's `DataLoader` and `LightningModule`."""

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytorch_lightning as pl
from torch.utils.data import SequentialSampler

from callbacks.range_tests.material import Batches, Kept
from callbacks.range_tests.stock_kept import StockKept
from checks.arguments import Refusal
from datamodules.redrawn import Redrawn, RedrawnLoader
from datamodules.rerun import RerunLoader
from timeline.position import BatchSizes
from timeline.stream import Stream
from trainer.access import datamodule_of, stream_of
from trainer.beside import moved
from trainer.stock_loaders import held_out_loaders, loaders_of, sampler_of, seed_of_run


class StockBatches:
    """Batches of a stranger's loader, by a loader of their own, and handed to the module as the run hands them."""

    def __init__(self, trainer: pl.Trainer, loader: RedrawnLoader | RerunLoader, seed: int) -> None:
        self._trainer, self._loader, self.seed = trainer, loader, seed
        self._data = copy.copy(datamodule_of(trainer))  # its hooks may set attributes

    @property
    def stream(self) -> Stream | None:
        """The samples of each step; None where they are the loader's affair."""
        return self._loader.stream if isinstance(self._loader, RedrawnLoader) else None

    def batch(self, number: int, module: Any) -> Any:
        """This process's batch."""
        return moved(module, self._trainer, self._data, self._loader.batch(number))

    def rows(self, number: int) -> int | None:
        """Samples over all processes, where they are known."""
        return self._loader.rows(number) if isinstance(self._loader, RedrawnLoader) else None

    def places(self, number: int) -> tuple[int, np.ndarray] | None:
        """Not known: each process draws by itself."""
        return None

    def held_out(self, module: Any) -> Iterator[tuple[Any, int, int]] | None:
        """Each held-out batch, with its number and that of its loader."""
        loaders = [(loader, most) for loader, most in held_out_loaders(self._trainer) if most]
        if not loaders:
            return None
        return (
            (moved(module, self._trainer, self._data, batch), number, place)
            for place, (loader, most) in enumerate(loaders)
            for number, batch in enumerate(RerunLoader(loader, self.seed, self._trainer.global_rank).one_pass(most))
        )


class StockData:
    """The training loader of a stranger's run.

    Raises:
        ValueError: there are several, or none.
    """

    def __init__(self, trainer: pl.Trainer) -> None:
        loaders = loaders_of(trainer)
        if len(loaders) != 1:
            raise Refusal(f"a range test draws its batches from one training loader, got {len(loaders)}: give one")
        self._trainer, self._loader, self._sampler = trainer, loaders[0], sampler_of(loaders[0])
        self._stream = stream_of(trainer)
        if self._stream is not None:  # the loader's own batch sampler, of ours
            self._sampler = SequentialSampler(self._loader.dataset)
        self.seed = seed_of_run()

    @property
    def samples(self) -> int:
        """Number of training samples.

        Raises:
            Refusal: the loader makes batches of its own size alone.
        """
        if self._sampler is None:
            raise Refusal(
                "batches of other sizes need a DataLoader over a map-style dataset with a batch_size: give it one"
            )
        if (several := self._trainer.accumulate_grad_batches) > 1:
            raise Refusal(f"batches of other sizes do not go with accumulate_grad_batches {several}: set it to 1")
        return Redrawn(self._sampler, 1, 0).samples

    def size(self, step: int) -> int | None:
        """Batch size over all processes."""
        if self._stream is not None:
            return self._stream.size(step)
        return None if self._sampler is None else self._loader.batch_size * self._trainer.world_size

    def steps(self, step: int) -> int:
        """Number of optimizer steps in an epoch of the run.

        Raises:
            Refusal: the loader does not know its length.
        """
        batches = self._trainer.num_training_batches
        if batches == float("inf"):
            raise Refusal("candidate_steps is missing: the training loader has no length, so give their number")
        return max(int(batches) // self._trainer.accumulate_grad_batches, 1)

    def batches(self, size: int | BatchSizes | None, seed: int, whole: bool) -> Batches:
        """Batches of the same loader in another order; of another size where it is one over a map-style dataset."""
        trainer, loader = self._trainer, self._loader
        if self._sampler is None:
            return StockBatches(trainer, RerunLoader(loader, seed, trainer.global_rank), seed)
        size = self.size(0) if size is None else size
        assert size is not None
        stream = Redrawn(
            self._sampler, size, seed, whole or (loader if self._stream is None else self._stream).drop_last
        )
        return StockBatches(trainer, RedrawnLoader(loader, stream, trainer.global_rank, trainer.world_size), seed)

    def kept(self, images: int) -> Kept:
        """Some samples of the first validation loader."""
        return StockKept(self._trainer, images)
