"""Batches of somebody else's `DataLoader`, drawn again in another order, each a function of (seed, step)."""

import random
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, DistributedSampler, RandomSampler, Sampler, SequentialSampler

from datamodules.isolated import generators_in, isolated, reseed
from timeline.keys import seed_generators, step_key
from timeline.position import BatchSizes
from timeline.stream import Stream


def seed_host(key: int, device: torch.device | None = None) -> None:
    """Seed what strangers' samples and modules may draw from: torch's, Python's and numpy's global generators."""
    seed_generators(key, device or torch.device("cpu"))
    random.seed(key)
    np.random.seed(key % 2**32)


class Redrawn(Stream):
    """A stream over the numbers that a sampler gives, one pass of it for each epoch.

    A sampler that gives every sample once becomes a permutation. Any other (of a subset, with weights, somebody's own)
    is copied and asked, with generators that are a function of (seed, epoch).

    Args:
        sampler: sampler of the whole run, all processes together.
        batch_size: number of samples in a step, over all processes; or a function of the position.
        seed: key of the orders.
        drop_last: drop the last, short batch of each pass.
    """

    def __init__(self, sampler: Any, batch_size: int | BatchSizes, seed: int, drop_last: bool = False) -> None:
        super().__init__(sampled(sampler), batch_size, seed, drop_last)
        self._sampler = sampler

    def order(self, epoch: int) -> np.ndarray:
        """The numbers of an epoch's samples, (samples,); of another type where the sampler gives no numbers."""
        if permutes(self._sampler):
            return super().order(epoch)
        if self._order is None or self._order[0] != epoch:
            given = list(keyed(self._sampler, step_key(self.seed, epoch, 0)))
            numbers = np.empty(len(given), object)
            numbers[:] = given
            self._order = epoch, numbers
        return self._order[1]


def permutes(sampler: Any) -> bool:
    """Whether a sampler gives every sample of its dataset once a pass."""
    if type(sampler) is RandomSampler:
        return not sampler.replacement and sampler.num_samples == len(sampler.data_source)
    return type(sampler) in (SequentialSampler, DistributedSampler)


def sampled(sampler: Any) -> int:
    """Number of samples in a pass of a sampler, over all processes."""
    whole: Any = sampler.dataset if type(sampler) is DistributedSampler else sampler
    return len(whole)


def keyed(sampler: Any, key: int) -> Any:
    """A copy of a sampler whose next pass follows from a key; the global generators are seeded for it."""
    copied = isolated(sampler)
    part = copied
    while isinstance(part, Sampler):
        if isinstance(getattr(part, "generator", None), torch.Generator):
            part.generator = torch.Generator().manual_seed(key)  # type: ignore[attr-defined]
        if callable(getattr(part, "set_epoch", None)):
            part.set_epoch(key % 2**31)  # type: ignore[attr-defined]
        part = getattr(part, "sampler", None)
    seed_host(key)
    return copied


class RedrawnLoader:
    """This process's part of each step's batch, by the workers and the collation of somebody else's loader.

    What the samples draw (random crops) is keyed by (seed, step, rank), in whatever process they are made. Where the
    processes cannot share a batch evenly, its first samples fill up the last ones' parts, as Lightning does it.

    Args:
        loader: loader over a map-style dataset, whose batches are made of a sampler's numbers.
        stream: samples of each step.
        rank: number of this process.
        world_size: number of processes.
    """

    def __init__(self, loader: Any, stream: Stream, rank: int, world_size: int) -> None:
        self._loader, self.stream, self._rank, self._world = loader, stream, rank, world_size
        copied = isolated(loader.dataset)
        self._dataset = _KeyedDataset(copied, [] if copied is loader.dataset else generators_in(copied))
        self._next: int | None = None
        self._batches: Iterator[Any] | None = None

    def batch(self, number: int) -> Any:
        """The collated batch of a step, on the host. Workers begin with the second of successive steps."""
        if self._loader.num_workers == 0 or self._next != number:
            self._batches = None
            batch = self._loader.collate_fn(self._dataset.__getitems__(self._entries(number)))
        else:
            if self._batches is None:
                self._batches = iter(self._from(number))
            batch = next(self._batches)
        self._next = number + 1
        return batch

    def rows(self, number: int) -> int:
        """Samples of a step over all processes, those that fill up included."""
        return -(-self.stream.size(number) // self._world) * self._world

    def _entries(self, number: int) -> list[Any]:
        numbers = self.stream.indices(number)
        own = np.resize(numbers, self.rows(number))[self._rank :: self._world]
        return [step_key(self.stream.seed, number, self._rank), *own.tolist()]

    def _from(self, number: int) -> DataLoader[Any]:
        like = self._loader
        return DataLoader(
            self._dataset, batch_sampler=_Steps(self, number), num_workers=like.num_workers, collate_fn=like.collate_fn,
            pin_memory=like.pin_memory, timeout=like.timeout, worker_init_fn=like.worker_init_fn,
            multiprocessing_context=like.multiprocessing_context, prefetch_factor=like.prefetch_factor,
            generator=torch.Generator(),
        )  # fmt: skip


class _Steps(Sampler[list[Any]]):
    """Entries of a step's samples, from a step on without end."""

    def __init__(self, of: RedrawnLoader, first: int) -> None:
        self._of, self._first = of, first

    def __iter__(self) -> Iterator[list[Any]]:
        number = self._first
        while True:
            yield self._of._entries(number)
            number += 1


class _KeyedDataset(Dataset[Any]):
    """A dataset whose batches begin with the key of what their samples draw, by its own generators too."""

    def __init__(self, dataset: Any, generators: list[Any]) -> None:
        self._dataset, self._generators = dataset, generators

    def __getitems__(self, entries: Sequence[Any]) -> Any:
        """The samples behind the key."""
        key, *numbers = entries
        seed_host(key)
        reseed(self._generators, key)
        if callable(several := getattr(self._dataset, "__getitems__", None)):
            return several(numbers)
        return [self._dataset[number] for number in numbers]
