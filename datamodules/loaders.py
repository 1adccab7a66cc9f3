"""Iterables of batches for Lightning: one vectorised gather a batch, no worker processes, no per-sample Python."""

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from datamodules.batch import Batch
from timeline.stream import Stream


class Store:
    """One split, whole, in one place: images uint8 (n, height, width, channels), labels int64 (n,).

    Args:
        images: the array of the dataset (it may be a memory map; nothing is copied).
        labels: class of each image.
    """

    def __init__(self, images: np.ndarray, labels: np.ndarray) -> None:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The given NumPy array is not writable")  # nobody writes to a store
            self.images = torch.from_numpy(images)
        self.labels = torch.from_numpy(labels.astype(np.int64))

    def to(self, device: torch.device) -> "Store":
        """This store with its tensors on `device`."""
        moved = object.__new__(Store)
        moved.images, moved.labels = self.images.to(device), self.labels.to(device)
        return moved

    def gather(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Images (batch, channels, height, width) in channels-last memory, and labels (batch,)."""
        return self.images.index_select(0, indices).permute(0, 3, 1, 2), self.labels.index_select(0, indices)


class TrainLoader:
    """Batches of the stream from the trainer's step on. Holds no position: iterating asks for the step.

    Args:
        store: where samples are gathered from.
        members: the training samples' places in the store, shape (n,); the stream counts in these.
        stream: samples of each step.
        first_step: called at the start of each pass for the step to begin with.
        rank: of this process.
        world_size: number of processes; each takes every `world_size`-th sample of a batch.
    """

    def __init__(
        self,
        store: Store,
        members: np.ndarray,
        stream: Stream,
        first_step: Callable[[], int],
        rank: int,
        world_size: int,
    ) -> None:
        self.store, self.members, self.stream, self.first_step = store, members, stream, first_step
        self.rank, self.world_size = rank, world_size
        self._order: tuple[int, Tensor] | None = None
        self._places: dict[int, np.ndarray] = {}

    def __len__(self) -> int:
        """Steps in the epoch in which the trainer is, the done ones too."""
        return self.stream.steps_in(self.stream.place(self.first_step())[0])

    def __iter__(self) -> Iterator[Batch]:
        """This rank's batches, from the trainer's step to the end of its epoch."""
        for step in self.stream.steps(self.first_step()):
            yield self.batch(step)

    def batch(self, step: int) -> Batch:
        """This rank's part of the batch of `step`."""
        epoch, start, stop = self.stream.place(step)
        indices = self._epoch_indices(epoch)[start + self.rank : stop : self.world_size]
        images, labels = self.store.gather(indices)
        return Batch(images, labels, step, self._global_places(len(labels)))

    def state_dict(self) -> dict[str, Any]:
        """Nothing: a place in the stream is the trainer's step. (That it exists tells Lightning that it can resume.)"""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to load."""

    def _epoch_indices(self, epoch: int) -> Tensor:
        if self._order is None or self._order[0] != epoch:
            indices = torch.from_numpy(self.members[self.stream.order(epoch)])
            self._order = epoch, indices.to(self.store.images.device)
        return self._order[1]

    def _global_places(self, size: int) -> np.ndarray:
        if size not in self._places:
            self._places[size] = np.arange(size) * self.world_size + self.rank
        return self._places[size]


class EvalLoader:
    """Batches of a split in its own order, each process taking its slice; no sample is padded or seen twice.

    Args:
        store: where samples are gathered from.
        members: places in the store, shape (n,).
        batch_size: samples in a batch, over all processes.
        rank: of this process.
        world_size: number of processes.
    """

    def __init__(self, store: Store, members: np.ndarray, batch_size: int, rank: int, world_size: int) -> None:
        self.store, self.batch_size = store, batch_size
        self.rank, self.world_size = rank, world_size
        self.members = torch.from_numpy(members).to(store.images.device)

    def __len__(self) -> int:
        """Number of batches, the last one short or whole."""
        return -(-len(self.members) // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        """This rank's part of each batch."""
        for step, start in enumerate(range(0, len(self.members), self.batch_size)):
            stop = min(start + self.batch_size, len(self.members))
            places = np.arange(start + self.rank, stop, self.world_size)
            images, labels = self.store.gather(self.members[start + self.rank : stop : self.world_size])
            yield Batch(images, labels, step, places)
