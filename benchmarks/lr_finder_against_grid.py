"""The LR range test's suggestion against a grid of rates, for each of the eight optimizers.

    python benchmarks/lr_finder_against_grid.py [--out results/lr_finder_against_grid.csv]

SmallCNN on MNIST, one epoch in batches of 128, 80/20 split, three seeds. Each run is `cadence fit -c small_cnn_mnist`
with another rate; what is compared is accuracy on the 12,000 held-out images, at the suggested rate and at each of
eleven rates from 1e-4 to 10. The range test that suggests is the run's own: 200 steps, three sweeps. A row a run; runs
that the file has already are not run again. `benchmarks/finder_table.py` makes the table of the docs.
"""

import argparse
import contextlib
import io
import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import cells

OPTIMIZERS = ("SGD", "Adam", "Adagrad", "RMSprop", "Adadelta", "Madam", "BBitMadam", "NesterovRMSprop")
GRID = tuple(10 ** (-4 + half / 2) for half in range(11))
SEEDS = (1, 2, 3)
FIELDS = (
    "optimizer", "seed", "source", "lr", "lower", "upper", "refusal", "val_accuracy", "val_loss", "steps", "cpu",
    "torch", "lightning", "date",
)  # fmt: skip
NAMES = tuple(f"grid {place}" for place in range(len(GRID)))


def options(optimizer: str, seed: str, lr: float) -> list[str]:
    """The configuration of one cell."""
    zeros = ["--optimizer.zero_tensors", "sgd"] if optimizer.endswith("Madam") else []
    return [
        "-c", "small_cnn_mnist", "--data.batch_size", "128",
        "--optimizer", optimizer, "--optimizer.lr", repr(lr), *zeros,
        "--seed_everything", seed, "--trainer.max_epochs", "1",
    ]  # fmt: skip


def train(optimizer: str, seed: str, lr: float, folder: Path) -> dict:
    """Accuracy and loss on the held-out images after one epoch, also for a run that diverged."""
    quiet = ["--test_after_fit", "false", "--trainer.enable_checkpointing", "false"]
    result = cells.fit([*options(optimizer, seed, lr), *quiet], folder)
    metrics, versions = result["metrics"], result["versions"]
    return {
        "lr": lr, "val_accuracy": metrics["val/accuracy"], "val_loss": metrics["val/loss"], "steps": result["steps"],
        "cpu": result["device"]["name"], "torch": versions["torch"], "lightning": versions["pytorch-lightning"],
    }  # fmt: skip


def suggest(optimizer: str, seed: str, folder: Path) -> dict:
    """The range test's suggestion."""
    from cli import main

    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        words = [*options(optimizer, seed, 0.01), "--trainer.enable_progress_bar", "false", "--run_dir", str(folder)]
        main(["lr-range-test", *words])
    found = json.loads((folder / "lr_range_test.json").read_text())
    lower, upper = found["bounds"] or ("", "")
    return {"lr": found["lr"] or "", "lower": lower, "upper": upper, "refusal": found["refusal"] or ""}


def cell(optimizer: str, seed: str, source: str) -> dict:
    """One row."""
    row: dict = {"date": datetime.now(UTC).date().isoformat()}
    with tempfile.TemporaryDirectory() as scratch:
        if source == "suggested":
            row |= suggest(optimizer, seed, Path(scratch) / "test")
            if row["lr"]:
                row |= train(optimizer, seed, row["lr"], Path(scratch) / "run")
        else:
            row |= train(optimizer, seed, GRID[NAMES.index(source)], Path(scratch) / "run")
    return row


def main() -> None:
    """Run the missing cells."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("results/lr_finder_against_grid.csv"))
    wanted = [(o, str(s), source) for source in (*NAMES, "suggested") for s in SEEDS for o in OPTIMIZERS]
    cells.run(wanted, FIELDS[:3], FIELDS, cell, parser.parse_args().out)


if __name__ == "__main__":
    main()
