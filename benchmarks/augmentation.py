"""Images per second of the training augmentation, ours beside torchvision's per-sample pipelines and the bounds.

    python benchmarks/augmentation.py [--quick] [--rounds N] [--out results/augmentation.csv]

Task: random images of CIFAR-10's shape (uint8, 32 x 32 x 3, synthetic: the cost does not depend on the content) become
batches of 2,048: padded by 4, cropped, flipped, normalised, and cut out by 16, every image with its own draw.

Rows: torchvision on PIL images, a sample at a time, through a DataLoader with two workers (the usual recipe); its v2
transforms on tensors, likewise; ours, one process with two threads, from the gather on; and two bounds on this machine,
the gather with a conversion to float32 alone, and a plain copy of as many bytes as the batch holds. Workers are started
and warmed before the clock runs, all rows take turns in every round, and the ratios are taken within rounds.
"""

import argparse
import csv
import ctypes
import datetime
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision
from PIL import Image
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from torchvision.transforms import v2

from datamodules.batch import Batch
from datamodules.transforms import Cutout, Normalize, Pipeline, RandomCrop, RandomHorizontalFlip

BATCH = 2048
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)


class CutoutOfOne:
    """The usual per-sample cutout: a numpy mask of ones with a square of zeros, clipped at the border."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __call__(self, image: Tensor) -> Tensor:
        """Image (channels, height, width), with a hole."""
        height, width = image.shape[1:]
        y, x = np.random.randint(height), np.random.randint(width)
        mask = np.ones((height, width), np.float32)
        top, left = max(y - self.size // 2, 0), max(x - self.size // 2, 0)
        mask[top : y - self.size // 2 + self.size, left : x - self.size // 2 + self.size] = 0
        return image * torch.from_numpy(mask)


class Samples(Dataset[tuple[Any, int]]):
    """Images one at a time, as torchvision's CIFAR10 gives them: each through `transform`."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, transform: Callable[[Any], Any], pil: bool) -> None:
        self.images, self.labels, self.transform, self.pil = images, labels.tolist(), transform, pil

    def __len__(self) -> int:
        """Number of images."""
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        """One transformed image and its label."""
        image = self.images[index]
        if self.pil:
            return self.transform(Image.fromarray(image)), self.labels[index]
        return self.transform(torch.from_numpy(image).permute(2, 0, 1)), self.labels[index]


def per_sample(pil: bool) -> Callable[[Any], Any]:
    """torchvision's chain for one image: from PIL, or v2 on a uint8 tensor."""
    if pil:
        recipe = transforms
        to_float = transforms.ToTensor()
    else:
        recipe = v2
        to_float = v2.ToDtype(torch.float32, scale=True)
    return recipe.Compose(
        [
            recipe.RandomCrop(32, 4),
            recipe.RandomHorizontalFlip(),
            to_float,
            recipe.Normalize(MEAN, STD),
            CutoutOfOne(16),
        ]
    )


def tune_allocator() -> None:
    """Keep freed memory rather than giving it back to the system at each batch (glibc; elsewhere nothing happens)."""
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        for option, value in ((-1, 1_000_000_000), (-3, 1_000_000_000), (-2, 64 << 20)):  # trim, mmap, top pad
            libc.mallopt(option, value)


def endless(loader: DataLoader[Any]) -> Iterator[Any]:
    """Batches for ever."""
    while True:
        yield from loader


class Contest:
    """The rows of the table: each a function that makes `batches` batches.

    Args:
        images: uint8 (n, 32, 32, 3).
    """

    def __init__(self, images: np.ndarray) -> None:
        labels = np.arange(len(images)) % 10
        self.store, self.labels = torch.from_numpy(images), torch.from_numpy(labels)
        self.order = torch.from_numpy(np.random.default_rng(0).permutation(len(images)))
        chain = [RandomCrop(4), RandomHorizontalFlip(), Normalize(MEAN, STD), Cutout(16)]
        self.pipeline = Pipeline(chain, seed=0)
        self.places = np.arange(BATCH)
        self.step = 0
        self.copied = torch.empty(BATCH, 3, 32, 32)
        self.source = torch.rand(BATCH, 3, 32, 32)
        self.loaders = {
            pil: endless(
                DataLoader(
                    Samples(images, labels, per_sample(pil), pil),
                    BATCH,
                    shuffle=True,
                    num_workers=2,
                    persistent_workers=True,
                    drop_last=True,
                )
            )
            for pil in (True, False)
        }

    def rows(self) -> dict[str, tuple[Callable[[int], None], int]]:
        """Name of each row, what runs it, and how many batches it makes in a round (for a comparable time)."""
        return {
            "torchvision PIL, 2 workers": (lambda n: self._load(True, n), 4),
            "torchvision v2, 2 workers": (lambda n: self._load(False, n), 4),
            "ours": (self._ours, 24),
            "bound: index and to float": (self._index_and_float, 48),
            "bound: memory copy": (self._copy, 96),
        }

    def _load(self, pil: bool, batches: int) -> None:
        for _ in range(batches):
            next(self.loaders[pil])

    def _gather(self) -> Batch:
        start = self.step * BATCH % (len(self.store) - BATCH + 1)
        indices = self.order[start : start + BATCH]
        images = self.store.index_select(0, indices).permute(0, 3, 1, 2)
        self.step += 1
        return Batch(images, self.labels.index_select(0, indices), self.step, self.places)

    def _ours(self, batches: int) -> None:
        for _ in range(batches):
            self.pipeline(self._gather())

    def _index_and_float(self, batches: int) -> None:
        for _ in range(batches):
            self._gather().images.to(torch.float32)

    def _copy(self, batches: int) -> None:
        for _ in range(batches):
            self.copied.copy_(self.source)


def measure(contest: Contest, rounds: int) -> dict[str, list[float]]:
    """Images per second of each row in each round; the rows take turns."""
    rates: dict[str, list[float]] = {}
    for turn in range(rounds + 1):
        for name, (run, batches) in contest.rows().items():
            if turn == 0:  # starts the workers, fills caches and allocator; in steady state, they prefetch two batches
                run(batches)
                continue
            begin = time.perf_counter()
            run(batches)
            rates.setdefault(name, []).append(batches * BATCH / (time.perf_counter() - begin))
    return rates
