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
import datetime
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision
from PIL import Image
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, RandomSampler
from torchvision import transforms
from torchvision.transforms import v2

from datamodules.batch import Batch
from datamodules.transforms import Cutout, Normalize, Pipeline, RandomCrop, RandomHorizontalFlip
from records.files import write_csv
from trainer.process import settle

BATCH = 2048
PIL, V2, OURS = "PIL, 2 workers", "v2 on tensors, 2 workers", "ours"
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)


class CutoutOfOne:
    """The common per-sample cutout: a numpy mask of ones with a square of zeros, clipped at the border."""

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
    """A dataset that returns one transformed image at a time, as torchvision's CIFAR10 does."""

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


class Contest:
    """The rows of the table: each a function that makes a number of batches.

    Args:
        images: uint8 (n, 32, 32, 3).
        loaded: number of batches that a DataLoader makes in a round; even, so that both workers finish together.
    """

    def __init__(self, images: np.ndarray, loaded: int) -> None:
        labels = np.arange(len(images)) % 10
        self.store, self.labels = torch.from_numpy(images), torch.from_numpy(labels)
        self.order = torch.from_numpy(np.random.default_rng(0).permutation(len(images)))
        self.pipeline = Pipeline([RandomCrop(4), RandomHorizontalFlip(), Normalize(MEAN, STD), Cutout(16)], seed=0)
        self.places = np.arange(BATCH)
        self.step = 0
        self.source = torch.rand(BATCH, 3, 32, 32)
        self.copied = torch.empty_like(self.source)
        self.loaded = loaded
        self.loaders = {pil: self._loader(Samples(images, labels, per_sample(pil), pil)) for pil in (True, False)}

    def rows(self) -> dict[str, tuple[Callable[[], None], int]]:
        """By name: function that makes one round's batches, and their number."""
        return {
            PIL: (lambda: self._load(self.loaders[True]), self.loaded),
            V2: (lambda: self._load(self.loaders[False]), self.loaded),
            OURS: (self._ours, 24),
            "bound: index and to float": (self._index_and_float, 48),
            "bound: memory copy": (self._copy, 96),
        }

    def _loader(self, samples: Samples) -> DataLoader[Any]:
        # a pass of its own in each round: the workers start it idle and end it idle, and nothing is made beforehand
        sampler = RandomSampler(samples, num_samples=self.loaded * BATCH)
        return DataLoader(samples, BATCH, sampler=sampler, num_workers=2, persistent_workers=True)

    def _load(self, loader: DataLoader[Any]) -> None:
        for _ in loader:
            pass

    def _gather(self) -> Batch:
        start = self.step * BATCH % (len(self.store) - BATCH + 1)
        indices = self.order[start : start + BATCH]
        images = self.store.index_select(0, indices).permute(0, 3, 1, 2)
        self.step += 1
        return Batch(images, self.labels.index_select(0, indices), self.step, self.places)

    def _ours(self) -> None:
        for _ in range(24):
            self.pipeline(self._gather())

    def _index_and_float(self) -> None:
        for _ in range(48):
            self._gather().images.to(torch.float32)

    def _copy(self) -> None:
        for _ in range(96):
            self.copied.copy_(self.source)


def measure(contest: Contest, rounds: int) -> dict[str, list[float]]:
    """Images per second of each row in each round; the rows take turns, and the first round only warms up."""
    rates: dict[str, list[float]] = {name: [] for name in contest.rows()}
    for turn in range(rounds + 1):
        for name, (run, batches) in contest.rows().items():
            begin = time.perf_counter()
            run()
            if turn:
                rates[name].append(batches * BATCH / (time.perf_counter() - begin))
    return rates


def hardware() -> str:
    """CPU, its load now (this program's own included), threads, versions and the day, in a line."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    cpu = models[0] if models else platform.processor()
    versions = f"torch {torch.__version__}, torchvision {torchvision.__version__}, Python {platform.python_version()}"
    day = datetime.date.today().isoformat()
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"{cpu}, {os.cpu_count()} cores{load}; {torch.get_num_threads()} torch threads; {versions}; {day}"


def summary(rates: dict[str, list[float]]) -> list[dict[str, str]]:
    """A row each: median, smallest and largest rate, and ours over it (median of the rounds' ratios)."""
    table = []
    for name, its_rates in rates.items():
        ratios = [ours / its for ours, its in zip(rates[OURS], its_rates, strict=True)]
        table.append(
            {
                "row": name,
                "images/s": f"{statistics.median(its_rates):.0f}",
                "min": f"{min(its_rates):.0f}",
                "max": f"{max(its_rates):.0f}",
                "ours / row": f"{statistics.median(ratios):.2f}",
                "min ratio": f"{min(ratios):.2f}",
                "max ratio": f"{max(ratios):.2f}",
                "rounds": str(len(its_rates)),
            }
        )
    return table


def main() -> None:
    """Measure, print, and write the CSV if asked."""
    parser = argparse.ArgumentParser(description="Images per second of the training augmentation.")
    parser.add_argument("--quick", action="store_true", help="one short round, to see that it works")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2, help="torch threads of the rows without workers")
    parser.add_argument("--out", type=Path, help="CSV file to write")
    arguments = parser.parse_args()
    settle()
    torch.set_num_threads(arguments.threads)
    images = np.random.default_rng(0).integers(0, 256, (50_000, 32, 32, 3), np.uint8)
    contest = Contest(images, loaded=2 if arguments.quick else 6)
    table = summary(measure(contest, 1 if arguments.quick else arguments.rounds))
    title = f"pad 4, crop, flip, normalise, cutout 16; batches of {BATCH:,}; synthetic images"
    shown = Table(title=title, caption=hardware())
    for column in table[0]:
        shown.add_column(column, justify="left" if column == "row" else "right")
    for row in table:
        shown.add_row(*row.values())
    Console(width=110).print(shown)
    if arguments.out:
        write_csv(arguments.out, [{**row, "hardware": hardware()} for row in table])


if __name__ == "__main__":
    main()
