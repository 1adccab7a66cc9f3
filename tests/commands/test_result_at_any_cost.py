"""What is wrong with the final test costs nothing of the training's record, and once it is mended the test is added."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch

from datamodules import Digits
from datamodules.sources import DamagedCache
from lightning_modules import ImageClassifier

RUN = [
    "fit", "--model", "MLP", "--model.hidden_sizes", "[8]", "--data", "Digits", "--optimizer", "SGD", "--optimizer.lr",
    "0.1", "--trainer.max_epochs", "1", "--trainer.enable_progress_bar", "false", "--run_dir", "run",
]  # fmt: skip
Break = Callable[[pytest.MonkeyPatch], None]


def damaged_meanwhile(patch: pytest.MonkeyPatch) -> None:
    def prepare(self: Digits) -> None:
        if self.trainer is not None and self.trainer.state.fn == "test":
            raise DamagedCache("Digits", Path("/cache/Digits/test_images.npy"), "0 bytes instead of 38,464")

    patch.setattr(Digits, "prepare_data", prepare)


def a_bad_class(patch: pytest.MonkeyPatch) -> None:
    load = Digits.load

    def spoilt(self: Digits) -> tuple[np.ndarray, ...]:
        *rest, labels = load(self)
        labels = np.array(labels)
        labels[-1] = 17
        return *rest, labels

    patch.setattr(Digits, "load", spoilt)


def a_defect_of_a_module(patch: pytest.MonkeyPatch) -> None:
    def step(self: ImageClassifier, *_: Any) -> None:
        raise AttributeError("no such thing")

    patch.setattr(ImageClassifier, "test_step", step)


def damaged_weights(patch: pytest.MonkeyPatch) -> None:
    class Spoil(pl.Callback):
        def on_fit_end(self, *_: object) -> None:
            best = Path("run/checkpoints/best.ckpt")
            best.rename("best.ckpt")
            best.write_bytes(Path("best.ckpt").read_bytes()[:500])

    from commands.configuration.cadence_cli import CadenceCLI

    built = CadenceCLI.build_trainer
    patch.setattr(CadenceCLI, "build_trainer", lambda self, extra, **kw: built(self, [*extra, Spoil()], **kw))


BROKEN: dict[str, tuple[Break, str]] = {
    "damaged meanwhile": (damaged_meanwhile, "test_images.npy: 0 bytes instead of 38,464 Type `cadence data fetch"),
    "a bad class": (a_bad_class, "17"),
    "a defect": (a_defect_of_a_module, "AttributeError: no such thing"),
    "damaged weights": (damaged_weights, "best.ckpt is damaged"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_the_training_stays_and_the_test_is_added_later(cadence, case: str, monkeypatch, capsys) -> None:
    broken, told = BROKEN[case]
    with monkeypatch.context() as patch:
        broken(patch)
        assert cadence(*RUN) == 2
    output, errors = capsys.readouterr()
    lines = errors.splitlines()
    assert lines[0].startswith("cadence: the test failed: ") and told in lines[0] and len(lines) == 3
    assert "validation (last)" in output
    result = json.loads(Path("run/result.json").read_text())
    assert {"train/epoch_loss", "val/accuracy"} <= result["metrics"].keys() and "test/loss" not in result["metrics"]
    assert result["steps"] == 16 and told in result["test_failed"]
    if case == "damaged weights":
        Path("best.ckpt").rename("run/checkpoints/best.ckpt")
    rows, last = Path("run/metrics.csv").read_bytes(), Path("run/checkpoints/last.ckpt").read_bytes()
    assert cadence(*lines[2].split()[1:]) == 0  # the command that was printed
    mended = json.loads(Path("run/result.json").read_text())
    assert "test_failed" not in mended and mended["metrics"].keys() - result["metrics"].keys() == {
        "test/loss", "test/accuracy", "test/error",
    }  # fmt: skip
    assert {name: mended["metrics"][name] for name in result["metrics"]} == result["metrics"]
    assert Path("run/metrics.csv").read_bytes() == rows
    assert Path("run/checkpoints/last.ckpt").read_bytes() == last


def test_the_result_is_that_of_one_that_went_well(cadence) -> None:
    """The record is written before the test, and the test's figures join it."""
    assert cadence(*RUN) == 0
    whole = json.loads(Path("run/result.json").read_text())["metrics"]
    best = torch.load("run/checkpoints/best.ckpt", weights_only=True)
    assert best["global_step"] == 16 and {name.partition("/")[0] for name in whole} == {"train", "val", "test"}
