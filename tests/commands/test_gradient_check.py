"""`cadence gradient-check`: its tables, files and exit status, and the mistakes it tells."""

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

BASE = ["--model", "MLP", "--model.hidden_sizes", "[12,8]"]
CHECK = ["gradient-check", *BASE]
MINE = """
import pytorch_lightning as pl
import torch
from torch import nn
from torch.nn import functional as F


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, values):
        return values.clone()

    @staticmethod
    def backward(ctx, gradient):
        return 2 * gradient


class Mine(pl.LightningModule):
    def __init__(self, in_channels: int = 1, image_size: int = 8, num_classes: int = 10, bug: bool = False) -> None:
        super().__init__()
        self.bug = bug
        self.first, self.second = nn.Linear(image_size**2, 6), nn.Linear(6, num_classes)

    def training_step(self, batch, batch_idx):
        images, labels = batch
        hidden = self.first(images.flatten(1)).tanh()
        loss = F.cross_entropy(self.second(Doubled.apply(hidden) if self.bug else hidden), labels)
        self.log("train/loss", loss)
        return {"loss": loss}

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Drawing(Mine):
    def training_step(self, batch, batch_idx):
        return super().training_step(batch, batch_idx)["loss"] * torch.rand(())


class Silent(Mine):
    def training_step(self, batch, batch_idx):
        return None


class Nan(Mine):
    def training_step(self, batch, batch_idx):
        return super().training_step(batch, batch_idx)["loss"] * torch.nan


class Named(Mine):
    def training_step(self, batch, batch_idx):
        return self.first(batch["images"]).sum()


class Short(Mine):
    def training_step(self, batch):
        return batch[0].sum()


class Lacking(Mine):
    def training_step(self, batch, batch_idx):
        return self.third(batch[0]).sum()


class ByHand(Mine):
    def __init__(self, in_channels: int = 1, image_size: int = 8, num_classes: int = 10) -> None:
        super().__init__(in_channels, image_size, num_classes)
        self.automatic_optimization = False


class Stepless(pl.LightningModule):
    def __init__(self, in_channels: int = 1, image_size: int = 8, num_classes: int = 10) -> None:
        super().__init__()
        self.first = nn.Linear(3, 3)


class Logarithm(pl.LightningModule):
    def __init__(self, in_channels: int = 1, image_size: int = 8, num_classes: int = 10) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((10,), 0.5))

    def training_step(self, batch, batch_idx):
        return self.weight.log().sum()


class Bare(pl.LightningModule):
    def __init__(self, in_channels: int = 1, image_size: int = 8, num_classes: int = 10) -> None:
        super().__init__()

    def training_step(self, batch, batch_idx):
        return batch[0].sum()
"""


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's own modules, importable as `their_modules`."""
    folder = tmp_path.parent / f"{tmp_path.name}-modules"
    folder.mkdir()
    (folder / "their_modules.py").write_text(MINE)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "their_modules", raising=False)


def test_reports_writes_and_trains_nothing(
    cadence: Callable[..., int], tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    build = "commands.configuration.cadence_cli.CadenceCLI.build_trainer"
    monkeypatch.setattr(build, lambda *_, **__: pytest.fail("a trainer was built"))
    assert cadence(*CHECK) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["gradient-check"]
    files = {path.name: path for path in (tmp_path / "gradient-check").iterdir()}
    assert sorted(files) == ["gradient_check.csv", "gradient_check.json", "gradient_check.png"]
    assert files["gradient_check.png"].read_bytes().startswith(b"\x89PNG")
    rows = list(csv.DictReader(files["gradient_check.csv"].read_text().splitlines()))
    assert len(rows) == 2 * 10 * 12
    for row in rows:
        gap = float(row["central_difference"]) - float(row["autograd"])
        assert float(row["difference"]) == gap
    told = json.loads(files["gradient_check.json"].read_text())
    assert told["parameter"] == "layers.linear_2.weight" and told["verdicts"] == ["agrees"] * 10
    assert told["model"] == "MLP" and told["float64"]["batched"] and told["seed"] == 1
    for precision in ("float64", "float32"):
        largest = {
            n: max(abs(float(row["difference"])) for row in rows if (row["precision"], row["N"]) == (precision, n))
            for n in ("1", "1000", "500000")
        }
        assert {n: told[precision]["largest_difference"][n] for n in largest} == largest
    assert told["float64"]["best_N_by_theory"] == pytest.approx(165_140, rel=1e-4)
    shown = capfd.readouterr()
    assert shown.err == "" and "10 weights: 10 agrees" in shown.out
    assert all(f"N={n}" in shown.out for n in (1, 50, 1000, 50_000, 500_000))
    assert all(len(line) <= 80 for line in shown.out.splitlines())


def test_takes_a_configuration_a_layer_weights_and_a_folder(cadence: Callable[..., int], tmp_path: Path) -> None:
    options = ["--layer=conv1.bias", "--weights", "3", "--n", "10,100,1000000", "--out", "here/and/there"]
    assert cadence("gradient-check", "-c", "small_cnn_mnist", "--data", "Digits", *options) == 0
    told = json.loads((tmp_path / "here/and/there/gradient_check.json").read_text())
    assert told["parameter"] == "conv1.bias" and told["weights"] == 3 and told["model"] == "SmallCNN"
    assert list(told["float64"]["largest_difference"]) == ["10", "100", "1000000"]


def test_a_checkpoint_s_weights_are_the_ones_checked(cadence: Callable[..., int], tmp_path: Path) -> None:
    quiet = ["--trainer.enable_progress_bar", "false", "--trainer.accelerator", "cpu"]
    length = ["--trainer.max_steps", "30", "--run_dir", "run", *quiet]
    assert cadence("fit", *BASE, "--optimizer", "SGD", "--optimizer.lr", "0.1", *length) == 0
    last = tmp_path / "run/checkpoints/last.ckpt"
    assert cadence(*CHECK, "--out", "before") == 0
    assert cadence("gradient-check", "-c", "run/config.yaml", "--checkpoint", last, "--out", "after") == 0
    before, after = (json.loads((tmp_path / name / "gradient_check.json").read_text()) for name in ("before", "after"))
    assert after["float64"]["loss"] != before["float64"]["loss"] and after["checkpoint"] == str(last)
    assert "wrong" not in after["verdicts"]


def test_a_users_module_is_checked_by_its_own_training_step(
    cadence: Callable[..., int], mine: None, capfd: pytest.CaptureFixture[str]
) -> None:
    assert cadence("gradient-check", "--model", "their_modules.Mine", "--layer", "first", "--weights", "20") == 0
    shown = capfd.readouterr()
    assert "20 agrees" in shown.out and shown.err == ""


def test_a_wrong_gradient_has_its_own_exit_status(
    cadence: Callable[..., int], mine: None, capfd: pytest.CaptureFixture[str]
) -> None:
    bug = ["--model", "their_modules.Mine", "--model.bug", "true", "--weights", "20"]
    assert cadence("gradient-check", *bug, "--layer", "first") == 1
    assert "wrong" in capfd.readouterr().out
    assert cadence("gradient-check", *bug, "--layer", "second") == 0


def test_a_step_beyond_the_loss_s_domain_is_left_out_and_null(
    cadence: Callable[..., int], mine: None, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert cadence("gradient-check", "--model", "their_modules.Logarithm", "--layer", "weight") == 0
    text = (tmp_path / "gradient-check/gradient_check.json").read_text()
    told = json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert told["verdicts"] == ["agrees"] * 10
    for precision in ("float64", "float32"):
        assert told[precision]["largest_difference"]["1"] is None and told[precision]["best_N"] > 1
        assert told[precision]["largest_difference"]["500000"] is not None
    assert cadence("gradient-check", "--model", "their_modules.Logarithm", "--layer", "weight", "--n", "1,2") == 0
    shown = capfd.readouterr()
    assert shown.err == "" and "none, as no N has finite differences" in shown.out and "10 unclear" in shown.out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([*CHECK, "--layer", "layers.linear_3"], ["layer layers.linear_3", "nearest: layers.linear_2"]),
        ([*CHECK, "--layer", "layers"], ["layer layers holds several parameters", "layers.linear_1.weight"]),
        ([*CHECK, "--layer"], ["--layer needs a value", "--layer layers.linear_2"]),
        ([*CHECK, "--layer", "--weights", "3"], ["--layer needs a value"]),
        ([*CHECK, "--checkpoint"], ["--checkpoint needs a value"]),
        ([*CHECK, "--weights", "0"], ["--weights must be a whole number of at least 1, got 0: 10 is usual"]),
        ([*CHECK, "--weights", "-3"], ["--weights", "-3"]),
        ([*CHECK, "--weights", "ten"], ["--weights", "ten"]),
        ([*CHECK, "--weights="], ["--weights needs a value"]),
        ([*CHECK, "--weights", "1001"], ["--weights must be at most 1,000, got 1001"]),
        ([*CHECK, "--n", "1000"], ["--n must be two numbers or more, got 1000"]),
        ([*CHECK, "--n", "10,1"], ["--n must be whole numbers from 1 to 1e12, ascending, got 10,1"]),
        ([*CHECK, "--n", "1,,5"], ["--n must be whole numbers", "got 1,,5"]),
        ([*CHECK, "--n", "-1,5"], ["--n must be whole numbers", "got -1,5"]),
        ([*CHECK, "--n", "1,9999999999999"], ["--n must be whole numbers from 1 to 1e12"]),
        ([*CHECK, "--out", "/dev/null"], ["--out /dev/null", "no folder"]),
        ([*CHECK, "--out", "/dev/null/here"], ["--out /dev/null/here", "no folder"]),
        ([*CHECK, "--checkpoint", "none.ckpt"], ["checkpoint none.ckpt: there is no such file"]),
        ([*CHECK, "--run_dir", "runs/x"], ["--run_dir has no part", "--checkpoint"]),
        ([*CHECK, "--wieghts", "3"], ["wieghts", "nearest: weights", "`cadence gradient-check --help`"]),
        (["gradient-check", "-c", "digits_dmo"], ["nearest: digits_demo"]),
        (["gradient-check", "--weights", "3"], ["model is missing"]),
        (["gradient-check", "--model", "MPL"], ["MPL", "nearest: MLP"]),
        (["gradient-check", "--model", "AlexNet"], ["AlexNet takes images of 224 x 224"]),
        (
            ["gradient-check", "--model", "their_modules.Silent"],
            ["training_step", "one number, got NoneType", "return"],
        ),
        (["gradient-check", "--model", "their_modules.Named"], ["training_step of Named fails", "(images, labels)"]),
        (["gradient-check", "--model", "their_modules.Short"], ["training_step of Short fails", "index of the batch"]),
        (["gradient-check", "--model", "their_modules.Lacking"], ["training_step of Lacking fails", "'third'"]),
        (["gradient-check", "--model", "their_modules.ByHand"], ["optimizes by itself", "let training_step return"]),
        (["gradient-check", "--model", "their_modules.Stepless"], ["Stepless has no training_step", "let training_"]),
        (["gradient-check", "--model", "their_modules.Drawing"], ["another loss at each call", "evaluation mode"]),
        (["gradient-check", "--model", "their_modules.Nan"], ["loss is nan at this sample"]),
        (["gradient-check", "--model", "their_modules.Bare"], ["Bare has no parameters"]),
    ],
)
def test_mistakes(
    cadence: Callable[..., int],
    mine: None,
    tmp_path: Path,
    arguments: list[str],
    expected: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cadence(*arguments) == 2
    told = capsys.readouterr().err
    assert 1 <= len(told.strip().splitlines()) <= 3, told
    assert [part for part in expected if part not in told] == [], told
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_of_another_model(
    cadence: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    torch.save({"state_dict": None}, tmp_path / "none.ckpt")
    assert cadence(*CHECK, "--checkpoint", "none.ckpt") == 2
    told = capsys.readouterr().err
    assert "checkpoint none.ckpt: state_dict must be a dict, got NoneType" in told and len(told.splitlines()) == 1
    torch.save({"state_dict": {"layers.other": torch.ones(1)}}, tmp_path / "other.ckpt")
    assert cadence(*CHECK, "--checkpoint", "other.ckpt") == 2
    assert "checkpoint other.ckpt does not fit MLP" in capsys.readouterr().err
