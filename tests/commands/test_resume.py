"""A run that was stopped and resumed equals the unbroken run, to the bit."""

import csv
from pathlib import Path

import pytest
import torch

from tests.stopping import StopAfter

STEPS_PER_EPOCH = 16  # 998 training digits in batches of 64


PLAIN = ["--model", "MLP", "--model.hidden_sizes", "[16]", "--model.dropout_hidden", "0.3", "--data", "Digits"]
AUGMENTED = [
    "--model", "SmallCNN", "--data", "Digits", "--data.augment+=RandomCrop", "--data.augment.padding", "1",
    "--data.augment+=RandomHorizontalFlip",
]  # fmt: skip
SHAPES = {
    "plain": PLAIN,
    "augmented": AUGMENTED,
    "validation within the epoch": [*PLAIN, "--trainer.val_check_interval", "5"],
    "counted in steps": [*PLAIN, "--trainer.max_steps", "45"],
    "micro-batches, no validation": [*PLAIN, "--model.micro_batch_size", "24", "--data.val_fraction", "0"],
}


def arguments(shape: str) -> list[str]:
    return [
        "fit", *SHAPES[shape], "--optimizer", "Adam", "--optimizer.lr", "0.01", "--trainer.max_epochs", "3",
        "--trainer.log_every_n_steps", "7", "--trainer.enable_progress_bar", "false",
    ]  # fmt: skip


def rows(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open() as file:
        return [{name: value for name, value in row.items() if name != "seconds"} for row in csv.DictReader(file)]


def weights(run: Path) -> dict[str, torch.Tensor]:
    return torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory):
    """Runs without a stop, made once for each shape."""
    from cli import main

    made: dict[str, Path] = {}

    def run(shape: str) -> Path:
        if shape not in made:
            made[shape] = tmp_path_factory.mktemp("unbroken") / "run"
            assert main([*arguments(shape), "--run_dir", str(made[shape])]) == 0
        return made[shape]

    return run


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("step", [1, 7, STEPS_PER_EPOCH, STEPS_PER_EPOCH + 4, 40])
def test_resumed_equals_unbroken(cadence, unbroken, shape: str, step: int, tmp_path: Path, monkeypatch) -> None:
    whole, run = unbroken(shape), tmp_path / "run"
    from commands.configuration.cadence_cli import CadenceCLI

    built = CadenceCLI.build_trainer
    monkeypatch.setattr(
        CadenceCLI, "build_trainer", lambda self, extra, **kw: built(self, [StopAfter(step), *extra], **kw)
    )
    assert cadence(*arguments(shape), "--run_dir", run) == 130
    monkeypatch.undo()
    assert cadence("fit", "--resume", run) == 0
    assert rows(run) == rows(whole)
    mine, theirs = weights(run), weights(whole)
    assert mine.keys() == theirs.keys()
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)


def test_same_run_twice_is_bit_identical(cadence, unbroken, tmp_path: Path) -> None:
    assert cadence(*arguments("augmented"), "--run_dir", tmp_path / "again") == 0
    assert rows(tmp_path / "again") == rows(unbroken("augmented"))
