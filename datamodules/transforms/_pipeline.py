"""`BatchTransform`, the interface of all transforms, and `Pipeline`, which runs a list of them."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import replace
from math import prod
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from checks.arguments import require_at_least
from datamodules.batch import Batch
from datamodules.transforms._parts import for_each_part
from timeline.draws import to_device, words

MOST_PIXELS = 1024  # on a side: a batch of 512 such images is 2 GB


class BatchTransform(ABC):
    """Turns a batch into a batch; it may change the rows, and then changes labels, places and copies with them.

    Attributes:
        after_normalize: true for a transform of normalised images (cutout is one: its zeros are the mean).
        rows_per_sample: number of rows that it makes of each row it gets.
    """

    after_normalize: ClassVar[bool] = False
    rows_per_sample: int = 1

    @abstractmethod
    def __call__(self, batch: Batch, seed: int, name: str) -> Batch:
        """Transform a batch.

        Args:
            batch: a batch, not modified.
            seed: seed of the run.
            name: key of the draws: the transform's class name, numbered from the second of its kind in the list.
        """

    def shape_after(self, channels: int, side: int) -> tuple[int, int]:
        """Channels and side of the square images that leave, for those of the images that come in: by default the same.

        Raises:
            ValueError: the transform cannot take such images.
        """
        return channels, side

    def rows_of(self, places: np.ndarray, rows: int) -> np.ndarray:
        """Places, among all that leave, of the rows that leave for those at `places` of `rows` rows, in their order."""
        return places

    def sources(self, places: np.ndarray, samples: int, step: int, seed: int, name: str) -> np.ndarray:
        """Places whose rows must come in for the rows at `places` to leave: no others, unless the transform mixes rows.

        Args:
            places: places in the step's global batch, int64 (n,).
            samples: number of samples in the global batch.
            step: optimizer step.
            seed: seed of the run.
            name: key of the draws, as in a call.

        Returns:
            `places`, and behind them those that they lack.
        """
        return places


class RowTransform(BatchTransform):
    """A transform of single images: a function of the image and of its own `words_per_row` random words.

    It can be applied to any part of a batch. On a CPU `Pipeline` takes one part after the other through all such
    transforms, so that the part stays in cache.
    """

    words_per_row: ClassVar[int] = 0

    @abstractmethod
    def apply(self, images: Tensor, words: Tensor) -> Tensor:
        """Transform images.

        Args:
            images: (rows, channels, height, width) in channels-last memory; not modified.
            words: int64 (rows, words_per_row), uniform in [0, 2**32), on the images' device.

        Returns:
            (rows, channels', height', width') in channels-last memory.
        """

    def draw(self, batch: Batch, seed: int, name: str) -> Tensor:
        """Random words for `apply`, on the batch's device: int64 (rows, words_per_row)."""
        if self.words_per_row == 0:
            return torch.empty((len(batch), 0), dtype=torch.int64, device=batch.images.device)
        drawn = words(seed, name, batch.step, batch.places, batch.copies, self.words_per_row)
        return to_device(drawn, batch.images.device)

    def __call__(self, batch: Batch, seed: int, name: str) -> Batch:
        """Draw and apply, the whole batch at once."""
        return replace(batch, images=self.apply(batch.images, self.draw(batch, seed, name)))


class Pipeline:
    """A list of batch transforms, run in order. `transforms` is open: a callback may insert its own.

    Consecutive row transforms run together: on a CPU over parts of `rows_per_part` images, so that a part stays in
    cache from the first to the last, and on other devices over the whole batch. The parts do not change the result.

    Args:
        transforms: the transforms, in their order.
        seed: seed of the run.
        rows_per_part: number of images that go through the transforms at a time on a CPU.
    """

    def __init__(self, transforms: Iterable[BatchTransform], seed: int, rows_per_part: int = 256) -> None:
        require_at_least(1, "256 suits 32 x 32 images", rows_per_part=rows_per_part)
        self.transforms, self.seed, self.rows_per_part = list(transforms), seed, rows_per_part

    @property
    def rows_per_sample(self) -> int:
        """Number of rows that leave for each sample that comes in."""
        return prod(transform.rows_per_sample for transform in self.transforms)

    def share(self, rank: int, processes: int, samples: int) -> tuple[int, np.ndarray]:
        """Rows of the whole batch that leaves, and where among them those of a process are, int64 (its rows,).

        Args:
            rank: number of the process, which has every `processes`-th sample.
            processes: number of processes.
            samples: number of samples in the global batch.
        """
        return samples * self.rows_per_sample, self.rows_of(np.arange(rank, samples, processes), samples)

    def rows_of(self, places: np.ndarray, samples: int) -> np.ndarray:
        """Where, in the whole batch that leaves, the rows are that leave for the samples at `places`, in their order.

        Args:
            places: places in the step's global batch, int64 (n,).
            samples: number of samples in the global batch.
        """
        for transform in self.transforms:
            places = transform.rows_of(places, samples)
            samples *= transform.rows_per_sample
        return places

    def sources(self, places: np.ndarray, samples: int, step: int) -> np.ndarray:
        """Places whose stored rows must come in for the rows at `places` to leave: `places`, and behind them the rest.

        Taken from the last transform to the first: what one reads is what the one before it has to make.

        Args:
            places: places in the step's global batch, int64 (n,).
            samples: number of samples in the global batch.
            step: optimizer step.
        """
        for transform, name in reversed([*zip(self.transforms, _names(self.transforms), strict=True)]):
            places = transform.sources(places, samples, step, self.seed, name)
        return places

    def __call__(self, batch: Batch) -> Batch:
        """The transformed batch, of the rows in `batch.own` alone; the given one is not modified."""
        together: list[tuple[RowTransform, str]] = []
        for transform, name in zip(self.transforms, _names(self.transforms), strict=True):
            if isinstance(transform, RowTransform):
                together.append((transform, name))
                continue
            batch = transform(self._apply(together, batch), self.seed, name)
            together = []
        batch = self._apply(together, batch)
        if batch.own is None:
            return batch
        return replace(batch.take(np.flatnonzero(np.isin(batch.places, batch.own))), own=None)

    def _apply(self, transforms: list[tuple[RowTransform, str]], batch: Batch) -> Batch:
        if not transforms:
            return batch
        drawn = [(transform, transform.draw(batch, self.seed, name)) for transform, name in transforms]
        rows = len(batch)
        if rows <= self.rows_per_part or batch.images.device.type != "cpu":
            images = batch.images
            for transform, its_words in drawn:
                images = transform.apply(images, its_words)
            return replace(batch, images=images)

        def transformed(part: slice) -> Tensor:
            images = batch.images[part]
            for transform, its_words in drawn:
                images = transform.apply(images, its_words[part])
            return images

        size = self.rows_per_part
        parts = [slice(start, min(start + size, rows)) for start in range(0, rows, size)]
        sample = transformed(slice(0, 1))
        images = torch.empty((rows, *sample.shape[1:]), dtype=sample.dtype, memory_format=torch.channels_last)

        def fill(part: slice) -> None:
            images[part] = transformed(part)

        for_each_part(fill, parts)
        return replace(batch, images=images)


def _names(transforms: list[BatchTransform]) -> list[str]:
    """Class names, numbered from the second of a kind, so that two of a kind draw differently."""
    names: list[str] = []
    seen: dict[str, int] = {}
    for transform in transforms:
        kind = type(transform).__name__
        seen[kind] = seen.get(kind, 0) + 1
        names.append(kind if seen[kind] == 1 else f"{kind} {seen[kind]}")
    return names
