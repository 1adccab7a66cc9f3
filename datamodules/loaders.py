"""Iterables of batches for Lightning: one vectorised gather a batch, no worker processes, no per-sample Python."""

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from datamodules.batch import Batch
from datamodules.transforms import Pipeline
from timeline.draws import to_device
from timeline.stream import Stream


class Store:
    """All images of a dataset's training or test part, uint8 (n, height, width, channels), and labels, int64 (n,).

    Args:
        images: the images; the array may be a memory map, and is not copied.
        labels: class of each image.
    """

    def __init__(self, images: np.ndarray, labels: np.ndarray) -> None:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The given NumPy array is not writable")  # a store is never written to
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
    """Batches of the stream from the trainer's step on. Holds no position: an iteration begins with asking for it.

    Args:
        store: source of the samples.
        members: indices of the training samples in the store, shape (n,); the stream's numbers are places in this.
        stream: samples of each step.
        first_step: function that gives the step to begin with; called at the start of each iteration.
        rank: number of this process.
        world_size: number of processes; each takes every `world_size`-th sample of a batch.
        transforms: pipeline that the batches go to: where it mixes samples, this process's partners come along.
        classes: number of classes.
    """

    def __init__(
        self,
        store: Store,
        members: np.ndarray,
        stream: Stream,
        first_step: Callable[[], int],
        rank: int,
        world_size: int,
        transforms: Pipeline | None = None,
        classes: int | None = None,
    ) -> None:
        self.store, self.members, self.stream, self.first_step = store, members, stream, first_step
        self.rank, self.world_size, self.transforms, self.classes = rank, world_size, transforms, classes
        self.until: int | None = None  # the step that follows the epoch's last, where the epoch is not the pass
        self._order: tuple[int, Tensor] | None = None
        self._places: dict[int, np.ndarray] = {}

    def __len__(self) -> int:
        """Number of steps in the trainer's pass, including those already done."""
        return self.stream.steps_in(self.stream.place(self.first_step())[0])

    def __iter__(self) -> Iterator[Batch]:
        """This rank's batches, from the trainer's step to the end of its epoch."""
        for step in self.stream.steps(self.first_step(), self.until):
            yield self.batch(step)

    def batch(self, step: int, most: int | None = None) -> Batch:
        """This rank's part of the batch of `step`: its own samples, and behind them what a transform mixes into them.

        Args:
            step: optimizer step.
            most: number of own samples to stop after; all by default.
        """
        epoch, start, stop = self.stream.place(step)
        order, samples = self._epoch_indices(epoch), stop - start
        all_own = self._own_places(samples)
        places = own = all_own if most is None else all_own[:most]
        if self.transforms is not None and len(own) < samples:
            places = self.transforms.sources(own, samples, step)
        if places is all_own:
            indices = order[start + self.rank : stop : self.world_size]
        else:
            indices = order.index_select(0, to_device(start + places, order.device))
        images, labels = self.store.gather(indices)
        leave = None if len(places) == len(own) else own
        return Batch(images, labels, step, places, None, samples, self.classes, leave)

    def state_dict(self) -> dict[str, Any]:
        """Nothing, as the trainer's step says it all; Lightning resumes within an epoch where this method exists."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to load."""

    def _epoch_indices(self, epoch: int) -> Tensor:
        if self._order is None or self._order[0] != epoch:
            indices = torch.from_numpy(self.members[self.stream.order(epoch)])
            self._order = epoch, indices.to(self.store.images.device)
        return self._order[1]

    def _own_places(self, samples: int) -> np.ndarray:
        if samples not in self._places:
            self._places[samples] = np.arange(self.rank, samples, self.world_size)
        return self._places[samples]


class EvalLoader:
    """Batches of a split in its own order, a slice for each process; no sample is repeated to even out the slices.

    Args:
        store: source of the samples.
        members: indices in the store, shape (n,).
        batch_size: number of samples in a batch, over all processes.
        rank: number of this process.
        world_size: number of processes.
    """

    def __init__(self, store: Store, members: np.ndarray, batch_size: int, rank: int, world_size: int) -> None:
        self.store, self.batch_size = store, batch_size
        self.rank, self.world_size = rank, world_size
        self.members = torch.from_numpy(members).to(store.images.device)

    def __len__(self) -> int:
        """Number of batches, including a short last one."""
        return -(-len(self.members) // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        """This rank's part of each batch."""
        for step, start in enumerate(range(0, len(self.members), self.batch_size)):
            stop = min(start + self.batch_size, len(self.members))
            places = np.arange(start + self.rank, stop, self.world_size)
            images, labels = self.store.gather(self.indices(step))
            yield Batch(images, labels, step, places)

    def indices(self, step: int) -> Tensor:
        """Places in the store of this rank's part of a batch, int64 (n,)."""
        start = step * self.batch_size
        return self.members[start + self.rank : start + self.batch_size : self.world_size]
