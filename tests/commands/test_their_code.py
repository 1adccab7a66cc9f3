"""A module and a datamodule of somebody else's, written as Lightning documents it, in the folder of the command."""

import csv
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from tests.forked import Done, forked

HOUSE = Path(__file__).resolve().parents[2]
THEIRS = '''
import pytorch_lightning as L
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset


class Net(L.LightningModule):
    def __init__(self, hidden: int = 8, lr: float = 0.1):
        super().__init__()
        self.save_hyperparameters()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(64, hidden), nn.ReLU(), nn.Linear(hidden, 4))

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = F.cross_entropy(self.layers(x), y)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        x, y = batch
        z = self.layers(x)
        self.log_dict({"val_loss": F.cross_entropy(z, y), "val_acc": (z.argmax(1) == y).float().mean()})

    def test_step(self, batch, batch_idx):
        x, y = batch
        self.log("test_acc", (self.layers(x).argmax(1) == y).float().mean())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.hparams.lr)


class Manual(Net):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False

    def training_step(self, batch, batch_idx):
        x, y = batch
        optimizer = self.optimizers()
        optimizer.zero_grad()
        loss = F.cross_entropy(self.layers(x), y)
        self.manual_backward(loss)
        optimizer.step()
        self.log("train_loss", loss)


class Untested(Net):
    validation_step = L.LightningModule.validation_step
    test_step = L.LightningModule.test_step


class LossAlone(Net):
    """A name of Cadence's without the other one."""

    def validation_step(self, batch, batch_idx):
        x, y = batch
        self.log("val/loss", F.cross_entropy(self.layers(x), y))


class Namesakes(Net):
    """Attributes that modules of Cadence have, with another meaning."""

    def __init__(self):
        super().__init__()
        self.recorded, self.step_losses, self.record, self.micro_batch_size = "tape", "none", 7, "small"
        self.compile_mode, self.accumulate, self.steps_directly = 3, "all", "no"


class Data(L.LightningDataModule):
    def __init__(self, batch_size: int = 32):
        super().__init__()
        self.batch_size = batch_size

    def setup(self, stage):
        images = torch.randn(500, 1, 8, 8, generator=torch.Generator().manual_seed(0))
        labels = images.flatten(1)[:, :4].argmax(1)
        self.parts = [TensorDataset(images[a:b], labels[a:b]) for a, b in ((0, 300), (300, 400), (400, 500))]

    def train_dataloader(self):
        return DataLoader(self.parts[0], self.batch_size, shuffle=True)

    def val_dataloader(self):
        return DataLoader(self.parts[1], self.batch_size)

    def test_dataloader(self):
        return DataLoader(self.parts[2], self.batch_size)


class TrainingOnly(Data):
    val_dataloader = L.LightningDataModule.val_dataloader
    test_dataloader = L.LightningDataModule.test_dataloader


class NamesakeData(Data):
    def __init__(self):
        super().__init__()
        self.val, self.stream, self.seed, self.store, self.validates = 7, "brook", "poppy", "corner", "yes"
        self.train_transforms = self.drop_last = None
'''
COMMON = [
    "--trainer.max_epochs", "2", "--trainer.log_every_n_steps", "3", "--trainer.enable_progress_bar", "false",
    "--trainer.accelerator", "cpu", "--run_dir", "run",
]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "theirs.py").write_text(THEIRS)
    return tmp_path


def fit(folder: Path, model: str = "Net", data: str = "Data", *options: object) -> Done:
    return cadence("fit", "--model", f"theirs.{model}", "--data", f"theirs.{data}", *COMMON, *options, folder=folder)


def cadence(*words: object, folder: Path) -> Done:
    """A command, in which Lightning's own warnings are no errors."""
    return forked(*words, cwd=folder, limit=30, first=lambda: warnings.simplefilter("default"))


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "run" / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(("model", "data"), [("Net", "Data"), ("Manual", "Data"), ("Namesakes", "NamesakeData")])
def test_it_trains_and_shows_all_that_they_log(folder: Path, model: str, data: str) -> None:
    done = fit(folder, model, data)
    assert done.status == 0, done.err
    result = json.loads((folder / "run" / "result.json").read_text())
    assert result["metrics"].keys() == {"train_loss", "val_loss", "val_acc", "test_acc"} and result["steps"] == 20
    for name, value in result["metrics"].items():
        assert f"│ {name:<10}" in done.out and f"{value:.4g}" in done.out
    assert "split" not in done.out, "no table of losses that they do not log"


def test_a_loss_of_our_name_alone_is_shown(folder: Path) -> None:
    done = fit(folder, "LossAlone")
    assert done.status == 0 and "│ val/loss" in done.out and "│ train_loss" in done.out, done.err


def test_rows_say_epochs_and_samples_by_what_came(folder: Path) -> None:
    """Ten batches a pass, the last one of 12; a resumed run counts on."""
    assert fit(folder).status == 0
    found = {int(row["step"]): (float(row["epoch"]), int(row["samples"])) for row in rows(folder)}
    assert list(found) == sorted(found)
    assert "test_acc" not in rows(folder)[0], "the test belongs into result.json"
    assert found[3] == (0.3, 96) and found[10] == (1.0, 300) and found[20] == (2.0, 600)
    again = cadence("fit", "--resume", "run", "--trainer.max_epochs", 3, folder=folder)
    assert again.status == 0, again.err
    assert (rows(folder)[-1]["epoch"], rows(folder)[-1]["samples"]) == ("3.0", "900")


@pytest.mark.parametrize(
    ("model", "data", "why"),
    [("Net", "TrainingOnly", "TrainingOnly has no test_dataloader"), ("Untested", "Data", "Untested has no test_step")],
)
def test_what_cannot_be_tested_is_trained_and_says_so(folder: Path, model: str, data: str, why: str) -> None:
    done = fit(folder, model, data)
    assert done.status == 0 and f"cadence: no test after the training: {why}" in done.err
    result = json.loads((folder / "run" / "result.json").read_text())
    assert "test_failed" not in result and result["metrics"]["train_loss"] > 0


def test_a_folder_that_ours_hides_is_told_by_name(folder: Path) -> None:
    (folder / "callbacks").mkdir()
    (folder / "callbacks" / "__init__.py").write_text("class Mine: pass\n")
    (folder / "records.py").write_text("raise SystemExit('the wrong one')\n")
    done = fit(folder, "Net", "Data", "--trainer.callbacks+=callbacks.Mine")
    assert done.status == 2 and "Cadence's own package 'callbacks' hides" in done.err and "rename that one" in done.err


def test_python_puts_no_folder_before_ours(folder: Path) -> None:
    """`python -m cli` has the working directory first in its path."""
    for name in ("records", "commands", "checks"):
        (folder / f"{name}.py").write_text("raise SystemExit('the wrong one')\n")
    environment = os.environ | {"PYTHONPATH": str(HOUSE)}
    done = subprocess.run(
        [sys.executable, "-m", "cli", "list", "models"], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0 and "ResNet" in done.stdout, done.stderr


def test_the_working_directory_comes_last(folder: Path) -> None:
    """A file of theirs that is called as an installed package hides nothing."""
    (folder / "yaml.py").write_text("raise SystemExit('the wrong one')\n")
    assert fit(folder).status == 0


@pytest.mark.parametrize(("model", "on"), [("Net", "training"), ("Manual", "training"), ("Net", "held_out")])
def test_a_range_test_by_itself(folder: Path, model: str, on: str) -> None:
    options = ("--model", f"theirs.{model}", "--data", "theirs.Data", "--range_test.steps", "60", *COMMON[4:])
    done = cadence("lr-range-test", *options, "--range_test.on", on, folder=folder)
    assert done.status == 0, done.err
    assert ("180 looks at 100 held-out images" in done.err) == (on == "held_out")
    assert json.loads((folder / "run" / "lr_range_test.json").read_text())["lr"] > 0


def test_a_cycle_between_the_bounds_of_a_range_test(folder: Path) -> None:
    """The run is what it would be without the test, and its schedule goes on over a resume."""
    words = ("--trainer.callbacks+=LRRangeTest", "--trainer.callbacks.steps", "60")
    cycle = (
        "--trainer.callbacks+=CyclicalLR",
        "--trainer.callbacks.half_cycle",
        "1",
        "--trainer.callbacks.bounds",
        "auto",
    )
    done = fit(folder, "Net", "Data", *words, *cycle)
    assert done.status == 0, done.err
    low, high = json.loads((folder / "run" / "lr_range_test.json").read_text())["bounds"]
    rates = {int(row["step"]): float(row["lr"]) for row in rows(folder) if row["lr"]}
    assert rates[3] == pytest.approx(low + (high - low) * 64 / 300), "after two steps of 32 samples, on the way up"
    assert cadence("fit", "--resume", "run", "--trainer.max_epochs", 3, folder=folder).status == 0
    assert float(rows(folder)[-1]["lr"]) == pytest.approx(low + (high - low) * 288 / 300)


def test_a_target_of_theirs(folder: Path) -> None:
    target = ("--trainer.callbacks+=TimeToTarget", "--trainer.callbacks.accuracy", "0.2", "--trainer.callbacks.monitor")
    done = fit(folder, "Net", "Data", *target, "val_acc")
    assert done.status == 0 and json.loads((folder / "run" / "time_to_target.json").read_text())["reached"], done.err


STREAMED = """
from datamodules import StreamBatchSampler


class Streamed(Data):
    def train_dataloader(self):
        return DataLoader(self.parts[0], batch_sampler=StreamBatchSampler(self.parts[0], batch_size=32, seed=1))
"""
HELD_OUT = ("--trainer.callbacks+=LRRangeTest", "--trainer.callbacks.on", "held_out")
CYCLE = (
    "--trainer.callbacks+=CyclicalBatchSize", "--trainer.callbacks.half_cycle", "1", "--trainer.callbacks.lower", "16",
    "--trainer.callbacks.upper", "64",
)  # fmt: skip


def test_a_cycle_of_batch_sizes_with_a_line_of_theirs(folder: Path) -> None:
    """Rows count what the stream says; a resumed run makes the rows of the unbroken one."""
    (folder / "theirs.py").write_text(THEIRS + STREAMED)
    assert fit(folder, "Net", "Streamed", *CYCLE).status == 0
    whole = rows(folder)
    for row in whole:
        if row["samples_seen"]:
            assert int(row["samples"]) == float(row["samples_seen"])
            assert float(row["epoch"]) == pytest.approx(float(row["samples_seen"]) / 300, abs=1e-6)
    assert fit(folder, "Net", "Streamed", *CYCLE, "--trainer.max_epochs", 1, "--run_dir", "again").status == 0
    again = cadence("fit", "--resume", "again", "--trainer.max_epochs", 2, folder=folder)
    assert again.status == 0, again.err
    with (folder / "again" / "metrics.csv").open() as file:
        resumed = list(csv.DictReader(file))
    for one, other in zip(whole, resumed, strict=True):
        assert one | {"seconds": ""} == other | {"seconds": ""}


@pytest.mark.parametrize(
    ("data", "words", "reason"),
    [
        (
            "Data",
            CYCLE,
            "CyclicalBatchSize needs one of Cadence's datamodules, or a training loader with our batch sampler",
        ),
        ("TrainingOnly", HELD_OUT, "on: held_out needs a validation_step and a validation loader"),
    ],
)
def test_what_shows_when_training_begins_is_told_in_a_line(
    folder: Path, data: str, words: tuple[str, ...], reason: str
) -> None:
    done = fit(folder, "Net", data, *words)
    assert done.status == 2 and reason in done.err and "Traceback" not in done.err
