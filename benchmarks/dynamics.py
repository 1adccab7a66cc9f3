"""What training dynamics cost: the LR range test beside plain steps, BatchAugmentedCutout beside the step it feeds.

    python benchmarks/dynamics.py [--quick] [--threads N] [--rounds 4] [--out results/dynamics.csv]

Each row is a time and what it is held against, which take turns in every round; the table shows medians of both, and
median and quartiles of the ratios within rounds. On two cores the default takes about five minutes.

  range test   a sweep of 100 steps, its copy's making included, against 100 steps of the `cadence fit` that it stands
               in (`small_cnn_mnist`, without validation and checkpoints); ten times as many rounds
  its report   what a whole range test does besides its sweep (rules, figure, files): seconds, against the same 100
               steps; a fixed price, and so without a target
  cutout       what M copies with crop, flip and cutout take longer than crop and flip alone, 64 samples of CIFAR-10,
               against ResNet-44's forward, backward and SGD on the 64 M images that come of it
  one step     a step over 64 M images, from the gather on, against M steps over 64, each with crop, flip and cutout

A step runs in micro-batches of `--micro-batch-size` images: ResNet-44 takes 2 GB in all with 256, and would
take some 11 with 2,048 at once (reckoned, not tried).
"""

import argparse
import contextlib
import io
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

from records.files import write_csv

BATCH = 64
RANGE_STEPS, WARM_UP = 100, 60
REPEATS = 5  # of a pipeline in a round: it takes milliseconds
Timed = tuple[float, float]  # seconds of the one and of the other


def range_test(rounds: int) -> dict[str, list[Timed]]:
    """The LR range test inside a real fit: sweeps and plain steps in turn."""
    import pytorch_lightning as pl

    import cli
    from callbacks import LRRangeTest
    from commands.configuration.cadence_cli import CadenceCLI

    found: dict[str, list[Timed]] = {"range test": [], "its report": []}

    class Alternate(pl.Callback):
        """Alternates a hundred plain steps with a hundred rehearsed ones."""

        left, since = WARM_UP, 0.0

        def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
            self.left -= 1
            if self.left:
                return
            plain = time.perf_counter() - self.since
            settings: dict[str, Any] = {"steps": RANGE_STEPS, "seeds": 1, "at_step": trainer.global_step}
            settings |= {"upper": 0.01, "diverged_at": 1e9}  # or a sweep would end before its hundredth step
            test, outcomes = LRRangeTest(**settings), []
            sweep = timed(lambda: outcomes.append(test.measure(trainer)))
            if len((swept := outcomes[0].sweeps[0]).losses) < RANGE_STEPS:
                raise SystemExit(f"a sweep ended after {len(swept.losses)} steps: {swept.stopped}")
            if self.since:
                found["range test"].append((sweep, plain))
            if self.since and len(found["its report"]) < max(rounds // 10, 2):
                test.measure = lambda trainer: outcomes[0]  # type: ignore[method-assign]  # what is left is the report
                found["its report"].append((timed(lambda: test.on_train_start(trainer, pl_module)), plain))
            self.left, self.since = RANGE_STEPS, time.perf_counter()

    build, said = CadenceCLI.build_trainer, io.StringIO()
    CadenceCLI.build_trainer = lambda self, extra, **kw: build(self, [*extra, Alternate()], **kw)  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        options = [
            "--data.val_fraction", "0", "--trainer.enable_checkpointing", "false", "--test_after_fit", "false",
            "--trainer.max_epochs", "-1", "--trainer.max_steps", str(WARM_UP + rounds * RANGE_STEPS),
        ]  # fmt: skip
        status = cli.main(["fit", "-c", "small_cnn_mnist", *options, "--run_dir", f"{folder}/run", "--debug"])
    CadenceCLI.build_trainer = build  # type: ignore[method-assign]
    if status:
        raise SystemExit(said.getvalue())
    return found


class BatchAugmented:
    """Steps of ResNet-44 on CIFAR-10, over M copies of each sample or over one.

    Args:
        depth: number of layers of the network.
        micro_batch_size: number of images in one forward pass.
    """

    def __init__(self, depth: int, micro_batch_size: int) -> None:
        import torch

        from datamodules import CIFAR10
        from datamodules.transforms import Copies, Cutout, Pipeline, RandomCrop, RandomHorizontalFlip
        from lightning_modules import ResNet

        data = CIFAR10(batch_size=BATCH, drop_last=True, augment=[RandomCrop(4), RandomHorizontalFlip()])
        data.setup("fit")
        self.loader, self.plain = data.train_dataloader(), data.train_transforms
        self.pipeline = cache(lambda m: Pipeline([Copies(m), *self.plain.transforms, Cutout(16)], seed=0))
        self.model = ResNet(depth=depth, micro_batch_size=micro_batch_size)
        self.model.setup("fit")
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)
        self.number = 0

    def steps(self, copies: int, count: int) -> Timed:
        """Run optimizer steps; returns their seconds from the gather on, and without gather and transforms."""
        begin, trained = time.perf_counter(), 0.0
        for _ in range(count):
            batch = self.pipeline(copies)(self.loader.batch(self.number))
            trained += timed(partial(self._train, batch.images, batch.labels))
            self.number += 1
        return time.perf_counter() - begin, trained

    def _train(self, images: Any, labels: Any) -> None:
        self.optimizer.zero_grad()
        totals = self.model.train_totals
        self.model.accumulate((images, labels), len(labels), lambda loss, rows, last: (loss / rows).backward(), totals)
        self.optimizer.step()

    def measure(self, copies: tuple[int, ...], rounds: int) -> dict[str, list[Timed]]:
        """Cost of the transforms for the largest M, and for each M one large step against M small ones."""
        stored, largest = self.loader.batch(0), max(copies)
        found: dict[str, list[Timed]] = {f"cutout, M = {largest}": []}
        found |= {f"one step, M = {m}": [] for m in copies}
        shuffle = random.Random(1)
        for count in (1, *copies):
            self.pipeline(count)(stored)
        self.steps(1, 1)  # warmed up: every size of a chunk has been seen
        self.steps(min(copies), 1)
        for number in range(rounds):
            for count in shuffle.sample(copies, len(copies)):
                times = {m: self.steps(m, count // m) for m in shuffle.sample((1, count), 2)}
                found[f"one step, M = {count}"].append((times[count][0], times[1][0]))
                if count == largest:
                    found[f"cutout, M = {count}"].append((self._added(count, stored), times[count][1]))
            print(f"\rround {number + 1} of {rounds}", end="", file=sys.stderr)
        print(file=sys.stderr)
        return found

    def _added(self, copies: int, stored: Any) -> float:
        pipeline, added = self.pipeline(copies), []
        for _ in range(REPEATS):
            whole = timed(lambda: pipeline(stored))
            added.append(whole - timed(lambda: self.plain(stored)))
        return statistics.median(added)


def timed(work: Callable[[], object]) -> float:
    """Seconds that a call takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def target_of(name: str) -> float | None:
    """Upper limit for a row's ratio; None where there is no target."""
    return next(
        (most for start, most in (("range", 1.10), ("cutout", 0.10), ("one", 1.0)) if name.startswith(start)), None
    )


def rows_of(found: dict[str, list[Timed]], settings: dict[str, Any]) -> list[dict[str, Any]]:
    """A row of the table for each comparison."""
    from records.environment import cpu_name, versions

    rows = []
    for name, pairs in found.items():
        low, ratio, high = statistics.quantiles([one / other for one, other in pairs], n=4)
        target = target_of(name)
        rows.append(
            {
                "row": name,
                "seconds": f"{statistics.median(one for one, _ in pairs):.4f}",
                "against_seconds": f"{statistics.median(other for _, other in pairs):.4f}",
                "ratio": f"{ratio:.4f}",
                "ratio_q1": f"{low:.4f}",
                "ratio_q3": f"{high:.4f}",
                "target": "" if target is None else target,
                "met": "" if target is None else "yes" if ratio <= target else "no",
                "rounds": len(pairs),
                **settings,
                "cpu": cpu_name(),
                "cores": os.cpu_count(),
                "torch": versions()["torch"],
                "lightning": versions()["pytorch-lightning"],
                "date": datetime.now(UTC).date().isoformat(),
            }
        )
    return rows


def main() -> None:
    """Measure, print the table, and write it as CSV where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="ResNet-8, M = 2 and 4, 2 rounds: to see that it works")
    parser.add_argument("--threads", type=int, help="torch threads; torch's default otherwise")
    parser.add_argument("--rounds", type=int, default=4, help="at least 2")
    parser.add_argument("--micro-batch-size", type=int, default=256)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.rounds < 2:
        parser.error(f"--rounds must be at least 2, got {options.rounds}: quartiles need two")
    if options.threads:
        os.environ["OMP_NUM_THREADS"] = str(options.threads)
    from trainer.process import settle

    settle()
    import torch

    depth, copies, rounds = (8, (2, 4), 2) if options.quick else (44, (8, 32), options.rounds)
    found = range_test(4 if options.quick else 10 * rounds) | BatchAugmented(depth, options.micro_batch_size).measure(
        copies, rounds
    )
    network = {"network": f"ResNet-{depth}", "micro_batch_size": options.micro_batch_size}
    rows = rows_of(found, network | {"threads": torch.get_num_threads()})
    layout = "{:<20} {:>9} {:>9} {:>8} {:>17} {:>7} {:>4} {:>6}"
    print(layout.format("row", "seconds", "against", "ratio", "(quartiles)", "target", "met", "rounds"))
    for row in rows:
        spread = f"({row['ratio_q1']} - {row['ratio_q3']})"
        shown = (row["row"], row["seconds"], row["against_seconds"], row["ratio"], spread)
        print(layout.format(*shown, row["target"], row["met"], row["rounds"]))
    first = rows[0]
    machine = f"{first['cpu']}, {first['cores']} cores, {first['threads']} threads"
    print(f"{first['network']}, micro-batches of {first['micro_batch_size']}; {machine}")
    print(f"torch {first['torch']}, Lightning {first['lightning']}; {first['date']}")
    if options.out:
        write_csv(options.out, rows)


if __name__ == "__main__":
    main()
