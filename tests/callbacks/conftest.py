"""What tests of callbacks share: a short run through the command line, and a quick batch-size range test in it."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import pytorch_lightning as pl

from callbacks import BatchSizeRangeTest
from tests.callbacks.records import Generator

Run = Callable[..., Path]
NET = ("--model", "MLP", "--model.hidden_sizes", "[16]", "--model.dropout_hidden", "0.3")
PLAIN = (
    *NET, "--data", "Digits",
    "--data.batch_size", "64", "--optimizer", "Adam", "--optimizer.lr", "0.01", "--trainer.max_epochs", "2",
    "--trainer.log_every_n_steps", "5", "--trainer.enable_progress_bar", "false",
)  # fmt: skip
NAME = "batch_size_range_test"  # its files; QUICK puts a quick one into a run
QUICK = (f"--trainer.callbacks+={BatchSizeRangeTest.__name__}", "--trainer.callbacks.sizes", "[16,32,64]",
         "--trainer.callbacks.steps", "20")  # fmt: skip


@pytest.fixture
def fit(cadence, tmp_path: Path) -> Run:
    """Run `cadence fit` on a small MLP and the digits, with a change; returns the run directory."""

    def run(name: str, *changes: object, status: int = 0) -> Path:
        plain = PLAIN[len(NET) :] if "--model" in changes else PLAIN  # no other model takes its options
        assert cadence("fit", *plain, *changes, "--run_dir", tmp_path / name) == status
        return tmp_path / name

    return run


@pytest.fixture
def noted(monkeypatch: pytest.MonkeyPatch) -> list[Generator]:
    """A `Generator` in each run."""
    from commands.configuration.cadence_cli import CadenceCLI

    build, made = CadenceCLI.build_trainer, []

    def built(self: CadenceCLI, extra: list[pl.Callback], **keywords: object) -> pl.Trainer:
        made.append(Generator())
        return build(self, [*extra, made[-1]], **keywords)

    monkeypatch.setattr(CadenceCLI, "build_trainer", built)
    return made


def table(run: Path) -> list[dict[str, str]]:
    """What the batch-size range test measured."""
    with (run / f"{NAME}.csv").open() as file:
        return list(csv.DictReader(file))


def found(run: Path) -> dict:
    """What the batch-size range test suggests, and from what."""
    return json.loads((run / f"{NAME}.json").read_text())
