"""Gain from the policies on small sets: the same network and budget with and without them, over three seeds.

    python benchmarks/policies.py [--out results/policies.csv]

SmallCNN on Fashion-MNIST, 8 epochs: a fixed rate, the same with a drop to a tenth for the last two epochs, cyclical LR
with the bounds that its range test finds, and a cyclical batch size likewise. ResNet-8 on the digits, 8 epochs in
batches of 32 with random crops: cutout, and M copies of each sample with it. Every run notes when it first reached its
task's target on the held-out images. A row a run; runs that the file has already are not run again.
"""

import argparse
import csv
import statistics
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import cells

SEEDS = ("1", "2", "3")
CROP = ("--data.augment+=RandomCrop", "--data.augment.padding", "1")
CUTOUT = ("--trainer.callbacks+=BatchAugmentedCutout", "--trainer.callbacks.size", "3", "--trainer.callbacks.copies")
FIXED = ("fashion_mnist_small_cnn_clr", "--trainer.callbacks", "null")
FASHION = "SmallCNN, Fashion-MNIST"
DIGITS = "ResNet-8, digits"
TARGETS = {FASHION: 0.88, DIGITS: 0.96}  # validation accuracy
ARMS = {
    (DIGITS, "crop alone"): ("digits_demo", *CROP),
    **{(DIGITS, f"cutout, M = {m}"): ("digits_demo", *CROP, *CUTOUT, str(m)) for m in (1, 2, 4, 8)},
    (FASHION, "fixed rate .01"): FIXED,
    (FASHION, "rate .01, a tenth from epoch 6 on"): (
        *FIXED, "--trainer.callbacks+=MultiStepLR", "--trainer.callbacks.milestones", "[6]",
    ),
    (FASHION, "cyclical LR, bounds found"): ("fashion_mnist_small_cnn_clr",),
    (FASHION, "cyclical batch size, bounds found"): ("fashion_mnist_small_cnn_cyclical_batch_size",),
}  # fmt: skip
PASSAGE = ("epochs", "steps", "seconds")
FIELDS = (
    "task", "policy", "seed", "test_accuracy", "val_accuracy", "steps", "training_seconds", "rehearsal_seconds",
    "target", "epochs_to_target", "steps_to_target", "seconds_to_target", "cpu", "torch", "lightning", "date",
)  # fmt: skip


def measure(task: str, policy: str, seed: str) -> dict:
    """One run."""
    with tempfile.TemporaryDirectory() as folder:
        timed = ["--trainer.callbacks+=TimeToTarget", "--trainer.callbacks.accuracy", str(TARGETS[task])]
        result = cells.fit(["-c", *ARMS[task, policy], *timed, "--seed_everything", seed], Path(folder) / "run")
    metrics, seconds, versions = result["metrics"], result["seconds"], result["versions"]
    reached = metrics["time_to_target/reached"]
    passage = {f"{part}_to_target": metrics[f"time_to_target/{part}"] for part in PASSAGE if reached}
    return {
        "test_accuracy": metrics["test/accuracy"], "val_accuracy": metrics["val/accuracy"], "steps": result["steps"],
        "training_seconds": seconds["training"], "rehearsal_seconds": seconds["rehearsal"],
        "target": TARGETS[task], **passage,
        "cpu": result["device"]["name"], "torch": versions["torch"], "lightning": versions["pytorch-lightning"],
        "date": datetime.now(UTC).date().isoformat(),
    }  # fmt: skip


def main() -> None:
    """Run the missing cells."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("results/policies.csv"))
    parser.add_argument("--table", action="store_true", help="print the table of what the file has, and run nothing")
    given = parser.parse_args()
    if not given.table:
        cells.run([(*arm, seed) for arm in ARMS for seed in SEEDS], FIELDS[:3], FIELDS, measure, given.out)
        return
    print(
        "| task | policy | test accuracy, mean (sd) | n | seconds of training | epochs to the target | seconds to it |"
    )
    print("|---|---|---|---|---|---|---|")
    with given.out.open() as file:
        rows = sorted(csv.DictReader(file), key=lambda row: int(row["seed"]))
    for task, policy in ARMS:
        mine = [row for row in rows if (row["task"], row["policy"]) == (task, policy)]
        accuracies = [float(row["test_accuracy"]) for row in mine]
        seconds = statistics.mean(float(row["training_seconds"]) for row in mine)
        mean, deviation = statistics.mean(accuracies), statistics.stdev(accuracies)
        print(
            f"| {task} | {policy} | {mean:.2%} ({deviation:.2%}) | {len(mine)} | {seconds:.0f} "
            f"| {_each(mine, 'epochs_to_target', '.0f')} | {_each(mine, 'seconds_to_target', '.1f')} |"
        )


def _each(rows: list[dict], key: str, layout: str) -> str:
    """A column's value for each seed; a dash where the target was not reached."""
    return ", ".join(format(float(row[key]), layout) if row[key] else "-" for row in rows)


if __name__ == "__main__":
    main()
