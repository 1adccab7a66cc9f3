"""A batch sampler for anybody's `DataLoader`, whose batches are a function of (seed, step)."""

from collections.abc import Iterator, Sized
from itertools import count
from typing import Any

import numpy as np
import torch
from torch.utils.data import Sampler

from checks.arguments import require_seed
from timeline.stream import Stream
from trainer.stock_loaders import batches_of_fit


class StreamBatchSampler(Sampler[list[int]]):
    """Batches of a map-style dataset: each sample once a pass, in an order that follows from the seed and the pass.

    `DataLoader(dataset, batch_sampler=StreamBatchSampler(dataset, batch_size=64, seed=1), num_workers=2)`

    In a `pl.Trainer` an iteration begins with the batch that the run has come to, whatever workers have fetched:
    `trainer.fit(..., ckpt_path=...)` goes on to the bit. Where `limit_train_batches` ends an epoch within a pass,
    the next goes on there. Without a trainer each iteration is the next pass. Of several processes each takes its share
    of each batch, and Lightning's DistributedSampler has no part in it. `CyclicalBatchSize` lays its sizes here.

    Args:
        dataset: the dataset, of which only the length is asked.
        batch_size: number of samples in a batch, over all processes.
        seed: key of the orders.
        drop_last: drop the last, short batch of each pass.

    Raises:
        ValueError: a field is out of range, or the dataset is empty.
    """

    def __new__(cls, dataset: Any = None, batch_size: int = 1, *words: Any, **options: Any) -> "StreamBatchSampler":
        """A new one; or, where Lightning makes it anew to put its DistributedSampler below it, the one it was."""
        return batch_size.sampler if isinstance(batch_size, _SizeOf) else super().__new__(cls)

    def __init__(self, dataset: Sized, batch_size: int, seed: int = 0, drop_last: bool = False) -> None:
        if isinstance(batch_size, _SizeOf):
            return
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}: 64 is usual")
        require_seed(seed=seed)
        self.stream = Stream(len(dataset), int(batch_size), seed, drop_last)
        self.batch_size, self.drop_last = _SizeOf(batch_size), drop_last
        self.batch_size.sampler = self
        self._passes = 0

    def __len__(self) -> int:
        """Number of batches in the pass that the run has come to."""
        return self.stream.steps_in(self.stream.place(batches_of_fit() or 0)[0])

    def __iter__(self) -> Iterator[list[int]]:
        """This process's numbers of each batch: in a fit without end, as the trainer ends an epoch, else of a pass."""
        first = batches_of_fit()
        steps = self._next_pass() if first is None else count(first)
        known = torch.distributed.is_available() and torch.distributed.is_initialized()
        rank, world = (torch.distributed.get_rank(), torch.distributed.get_world_size()) if known else (0, 1)
        return (self._share(step, rank, world) for step in steps)

    def _next_pass(self) -> Iterator[int]:
        self._passes += 1
        return self.stream.steps(self.stream.first_step(self._passes - 1))

    def _share(self, step: int, rank: int, world: int) -> list[int]:
        """A process's part of a batch; a batch too small for all is repeated, since none may have nothing."""
        numbers = self.stream.indices(step)
        return [int(one) for one in np.resize(numbers, max(len(numbers), world))[rank::world]]


class _SizeOf(int):
    """A batch size that knows whose it is."""

    sampler: StreamBatchSampler
