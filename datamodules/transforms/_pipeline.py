"""The seam: what a batch transform is, and the list that runs them."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import replace
from math import prod
from typing import ClassVar

import torch
from torch import Tensor

from checks.arguments import require_at_least
from datamodules.batch import Batch
from datamodules.transforms._parts import for_each_part
from timeline.draws import to_device, words


class BatchTransform(ABC):
    """Anything that turns a batch into a batch; it may change the number of rows (and then labels, places, copies).

    Attributes:
        after_normalize: whether it wants normalised images (cutout does: its zeros are the mean).
        rows_per_sample: rows that it makes of each row it gets.
    """

    after_normalize: ClassVar[bool] = False
    rows_per_sample: int = 1

    @abstractmethod
    def __call__(self, batch: Batch, seed: int, name: str) -> Batch:
        """Transform a batch.

        Args:
            batch: not modified.
            seed: of the run.
            name: what to key draws by: the transform's name, told apart from others of its kind in the same list.
        """


class RowTransform(BatchTransform):
    """A transform that treats each image by itself, from the image and its own `words_per_row` random words.

    Such transforms can be applied to any part of a batch, and `Pipeline` does so: on a CPU a part stays in cache
    through all of them.
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
        """The words that `apply` needs for this batch, on its device: int64 (rows, words_per_row)."""
        if self.words_per_row == 0:
            return torch.empty((len(batch), 0), dtype=torch.int64, device=batch.images.device)
        drawn = words(seed, name, batch.step, batch.places, batch.copies, self.words_per_row)
        return to_device(drawn, batch.images.device)

    def __call__(self, batch: Batch, seed: int, name: str) -> Batch:
        """Draw and apply, the whole batch at once."""
        return replace(batch, images=self.apply(batch.images, self.draw(batch, seed, name)))


class Pipeline:
    """A list of batch transforms, run in order. `transforms` is open: a callback may insert its own.

    Consecutive row transforms run together, over parts of `rows_per_part` images on a CPU, so that a part stays in
    cache from the first to the last, and in one go on other devices. The result does not depend on the parts.

    Args:
        transforms: in their order.
        seed: of the run.
        rows_per_part: images taken through the transforms at a time on a CPU.
    """

    def __init__(self, transforms: Iterable[BatchTransform], seed: int, rows_per_part: int = 256) -> None:
        require_at_least(1, "256 suits 32 x 32 images", rows_per_part=rows_per_part)
        self.transforms, self.seed, self.rows_per_part = list(transforms), seed, rows_per_part

    @property
    def rows_per_sample(self) -> int:
        """Rows that leave it for each sample that comes in."""
        return prod(transform.rows_per_sample for transform in self.transforms)

    def __call__(self, batch: Batch) -> Batch:
        """The transformed batch; the given one is not modified."""
        together: list[tuple[RowTransform, str]] = []
        for transform, name in zip(self.transforms, _names(self.transforms), strict=True):
            if isinstance(transform, RowTransform):
                together.append((transform, name))
                continue
            batch = transform(self._apply(together, batch), self.seed, name)
            together = []
        return self._apply(together, batch)

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
    """Class names, numbered from the second of a kind, so that two of a kind draw apart."""
    names: list[str] = []
    seen: dict[str, int] = {}
    for transform in transforms:
        kind = type(transform).__name__
        seen[kind] = seen.get(kind, 0) + 1
        names.append(kind if seen[kind] == 1 else f"{kind} {seen[kind]}")
    return names
