"""What the policies bring on small sets: the same network and budget with and without them, over three seeds.

    python benchmarks/policies.py [--out results/policies.csv]

SmallCNN on Fashion-MNIST, 8 epochs: a fixed rate, cyclical LR with the bounds that its range test finds, and a cyclical
batch size likewise. ResNet-8 on the digits, 8 epochs in batches of 32 with random crops: cutout, and M copies of each
sample with it. A row a run; runs that the file has already are not run again.
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
FASHION = "SmallCNN, Fashion-MNIST"
DIGITS = "ResNet-8, digits"
ARMS = {
    (DIGITS, "crop alone"): ("digits_demo", *CROP),
    **{(DIGITS, f"cutout, M = {m}"): ("digits_demo", *CROP, *CUTOUT, str(m)) for m in (1, 2, 4, 8)},
    (FASHION, "fixed rate .01"): (
        "fashion_mnist_small_cnn_clr", "--trainer.callbacks", "null",
    ),
    (FASHION, "cyclical LR, bounds found"): ("fashion_mnist_small_cnn_clr",),
    (FASHION, "cyclical batch size, bounds found"): ("fashion_mnist_small_cnn_cyclical_batch_size",),
}  # fmt: skip
FIELDS = (
    "task", "policy", "seed", "test_accuracy", "val_accuracy", "steps", "training_seconds", "rehearsal_seconds", "cpu",
    "torch", "lightning", "date",
)  # fmt: skip


def measure(task: str, policy: str, seed: str) -> dict:
    """One run."""
    with tempfile.TemporaryDirectory() as folder:
        result = cells.fit(["-c", *ARMS[task, policy], "--seed_everything", seed], Path(folder) / "run")
    metrics, seconds, versions = result["metrics"], result["seconds"], result["versions"]
    return {
        "test_accuracy": metrics["test/accuracy"], "val_accuracy": metrics["val/accuracy"], "steps": result["steps"],
        "training_seconds": seconds["training"], "rehearsal_seconds": seconds["rehearsal"],
        "cpu": result["device"]["name"], "torch": versions["torch"], "lightning": versions["pytorch-lightning"],
        "date": datetime.now(UTC).date().isoformat(),
    }  # fmt: skip


def main() -> None:
    """Run what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("results/policies.csv"))
    parser.add_argument("--table", action="store_true", help="print the table of what the file has, and run nothing")
    given = parser.parse_args()
    if not given.table:
        cells.run([(*arm, seed) for arm in ARMS for seed in SEEDS], FIELDS[:3], FIELDS, measure, given.out)
        return
    print("| task | policy | test accuracy, mean (sd) | n | seconds of training |\n|---|---|---|---|---|")
    with given.out.open() as file:
        rows = list(csv.DictReader(file))
    for task, policy in ARMS:
        mine = [row for row in rows if (row["task"], row["policy"]) == (task, policy)]
        accuracies = [float(row["test_accuracy"]) for row in mine]
        seconds = statistics.mean(float(row["training_seconds"]) for row in mine)
        mean, deviation = statistics.mean(accuracies), statistics.stdev(accuracies)
        print(f"| {task} | {policy} | {mean:.2%} ({deviation:.2%}) | {len(mine)} | {seconds:.0f} |")


if __name__ == "__main__":
    main()
