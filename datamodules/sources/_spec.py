"""A dataset's description: names, shapes, hashes and sources."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from datamodules.sources._errors import SourceRefused

Bytes = NDArray[np.uint8]
Progress = Callable[[str, int, int | None], None]
"""progress(description, done_bytes, total_bytes or None if unknown)."""

ARRAY_NAMES = ("train_images", "train_labels", "test_images", "test_labels")


@dataclass(frozen=True)
class Arrays:
    """A whole dataset as four uint8 arrays: images (n, height, width, channels), labels (n,)."""

    train_images: Bytes
    train_labels: Bytes
    test_images: Bytes
    test_labels: Bytes


class Source(Protocol):
    """One place where a dataset's bytes may come from."""

    @property
    def label(self) -> str:
        """Name in messages."""

    def collect(self, spec: DatasetSpec, scratch: Path, report: Progress) -> dict[str, Bytes]:
        """Return the four arrays by name, unverified; `scratch` is an empty folder to download into.

        Raises:
            SourceUnreachable: no bytes to be had.
            SourceRefused: bytes, but not such as the dataset's archive holds.
        """


class Layout(Protocol):
    """How a dataset lies in an archive: which members, and how they become arrays."""

    def members(self, spec: DatasetSpec) -> dict[str, int]:
        """Return the names of the members to read, each with the most bytes that it may have."""

    def decode(self, spec: DatasetSpec, files: Mapping[str, bytes], archive: str) -> dict[str, Bytes]:
        """Turn the members' bytes into the four arrays; raise SourceRefused naming `archive` and the member."""


@dataclass(frozen=True)
class DatasetSpec:
    """One dataset.

    Attributes:
        name: name in configurations, messages and the cache.
        image_shape: height, width and channels of an image, height and width being equal.
        train: number of training images.
        test: number of test images.
        classes: names of the classes, in the order of their labels.
        mean: mean of each channel of the training images, scaled to [0, 1].
        std: standard deviation of each channel of the training images, scaled to [0, 1].
        sha256: SHA-256 of each array's bytes in C order, the same whatever the source.
        sources: places that may have the dataset, in the order in which to try them.
    """

    name: str
    image_shape: tuple[int, int, int]
    train: int
    test: int
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    sha256: Mapping[str, str]
    sources: tuple[Source, ...]

    def shape(self, array: str) -> tuple[int, ...]:
        """Return the shape of `array`, one of ARRAY_NAMES: (n, height, width, channels) or (n,)."""
        split, _, kind = array.partition("_")
        n = self.train if split == "train" else self.test
        return (n, *self.image_shape) if kind == "images" else (n,)

    def check(self, arrays: Mapping[str, Bytes], archive: str) -> None:
        """Raise SourceRefused, naming `archive`, unless every array is the dataset's to the bit."""
        for name in ARRAY_NAMES:
            array = arrays[name]
            if array.dtype != np.uint8 or array.shape != self.shape(name):
                found = f"{array.dtype} {array.shape}"
                raise SourceRefused(archive, name, f"{found} instead of uint8 {self.shape(name)}")
            found = sha256(array)
            if found != self.sha256[name]:
                raise SourceRefused(archive, name, f"SHA-256 {found[:12]}... instead of {self.sha256[name][:12]}...")


def sha256(array: Bytes) -> str:
    """Return the SHA-256 of the array's bytes in C order, as 64 hexadecimal digits."""
    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()
