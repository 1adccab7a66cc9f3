"""What batch augmentation adds to a step on a GPU: M copies of 64 images, each with crop, flip and cutout.

    python benchmarks/gpu_augmentation.py [--copies 1 2 4 8 16 32] [--modes eager reduce-overhead] [--rounds 6]
                                          [--network ResNet] [--out results/gpu_augmentation.csv]

Random images of CIFAR-10's shape, held on the device; ResNet-44 (`ResNet`) in bf16, channels-last, eager or compiled.
Two loops take turns of some steps, both over 64 M images: one gathers 64 images, and copies, crops, flips, normalises
and cuts out; the other gathers 64 M images and normalises them. `share` is the part of the first loop's step that the
second saves: the draws on the host and the copies to the device are in it, as far as the device has to wait for them.
`alone` is the pipeline by itself, without a network to hide behind.
"""

import argparse
import random
import statistics
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import torch
from gpu_bare import DEVICE, NETWORKS, BareStep, machine, seconds, wait

from datamodules import CIFAR10
from datamodules.batch import Batch
from datamodules.transforms import Copies, Cutout, Normalize, Pipeline, RandomCrop, RandomHorizontalFlip
from records.files import write_csv

BATCH, TARGET = 64, 0.02


class Loops:
    """The two loops over the same images, with one network.

    Args:
        step: the bare step that both take.
        copies: M, number of copies of each image.
    """

    def __init__(self, step: BareStep, copies: int) -> None:
        normalize = Normalize(CIFAR10.mean, CIFAR10.std)
        self.step, self.rows, self.number = step, BATCH * copies, 0
        self.augmented = Pipeline(
            [Copies(copies), RandomCrop(4), RandomHorizontalFlip(), normalize, Cutout(16)], seed=0
        )
        self.plain = Pipeline([normalize], seed=0)
        self.images = torch.randint(256, (50_000, 32, 32, 3), dtype=torch.uint8, device=DEVICE)
        self.labels = torch.randint(10, (50_000,), device=DEVICE)
        self.order = torch.randperm(50_000, device=DEVICE)

    def batch(self, rows: int) -> Batch:
        """The next images, as a loader hands them on."""
        self.number += 1
        start = self.number * rows % (50_000 - rows)
        indices = self.order[start : start + rows]
        images = self.images.index_select(0, indices).permute(0, 3, 1, 2)
        return Batch(images, self.labels.index_select(0, indices), self.number, np.arange(rows))

    def with_copies(self) -> None:
        """One step over the copies."""
        batch = self.augmented(self.batch(BATCH))
        self.step(batch.images, batch.labels)

    def without(self) -> None:
        """One step over as many images, as they are."""
        batch = self.plain(self.batch(self.rows))
        self.step(batch.images, batch.labels)

    def alone(self) -> float:
        """Seconds of the first loop's gather and transforms, one call behind the other."""
        return seconds(lambda: self.augmented(self.batch(BATCH)), 20)


def turn(call: Callable[[], None], steps: int) -> float:
    """Seconds of a step, the mean of a turn."""
    wait()
    begin = time.perf_counter()
    for _ in range(steps):
        call()
    wait()
    return (time.perf_counter() - begin) / steps


def main() -> None:
    """Measure, print the table, and write it as CSV where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--copies", nargs="+", type=int, default=[1, 2, 4, 8, 16, 32])
    parser.add_argument("--modes", nargs="+", default=["eager", "reduce-overhead"])
    parser.add_argument("--rounds", type=int, default=6, help="at least 2")
    parser.add_argument("--steps", type=int, default=15)
    parser.add_argument("--network", choices=NETWORKS, default="ResNet")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    shuffle, where, rows = random.Random(1), machine(), []
    for mode, copies in product(options.modes, options.copies):
        loops = Loops(BareStep(options.network, None if mode == "eager" else mode), copies)
        calls = {"with": loops.with_copies, "without": loops.without}
        for call in calls.values():
            turn(call, min(5, options.steps))
        times: dict[str, list[float]] = {name: [] for name in calls}
        for _ in range(options.rounds):
            for name in shuffle.sample(list(calls), 2):
                times[name].append(turn(calls[name], options.steps))
        shares = [1 - without / full for full, without in zip(times["with"], times["without"], strict=True)]
        low, share, high = statistics.quantiles(shares, n=4)
        rows.append(
            {
                "mode": mode,
                "copies": copies,
                "images": loops.rows,
                "ms_with": f"{1e3 * statistics.median(times['with']):.3f}",
                "ms_without": f"{1e3 * statistics.median(times['without']):.3f}",
                "share": f"{share:.4f}",
                "share_q1": f"{low:.4f}",
                "share_q3": f"{high:.4f}",
                "target": TARGET,
                "met": "yes" if share <= TARGET else "no",
                "ms_alone": f"{1e3 * loops.alone():.3f}",
                "rounds": options.rounds,
                "steps_per_turn": options.steps,
                "network": "ResNet-44" if options.network == "ResNet" else options.network,
                **where,
            }
        )
    shown = list(rows[0])[:11]
    print("".join(f"{name:>16}" for name in shown))
    for row in rows:
        print("".join(f"{row[name]:>16}" for name in shown))
    print("; ".join(f"{name} {value}" for name, value in list(rows[0].items())[11:]))
    if options.out:
        write_csv(options.out, rows)


if __name__ == "__main__":
    main()
