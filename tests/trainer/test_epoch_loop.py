"""The short epoch loop gives the same run as Lightning's, to the bit, and runs in exactly the cases it may."""

import csv
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch

import trainer.epoch_loop as epoch_loop
from lightning_modules import classifier
from trainer.epoch_loop import ShortEpochLoop

RUN = (
    "fit", "--model", "MLP", "--model.hidden_sizes", "[16]", "--model.dropout_hidden", "0.3", "--data", "Digits",
    "--data.augment+=RandomCrop", "--data.augment.padding", "1", "--optimizer", "Adam", "--optimizer.lr", "0.01",
    "--trainer.max_epochs", "2", "--trainer.val_check_interval", "5", "--trainer.log_every_n_steps", "3",
)  # fmt: skip


def record(run: Path) -> tuple[list[dict[str, str]], dict[str, torch.Tensor]]:
    """Rows of metrics.csv without their seconds, and the weights."""
    with (run / "metrics.csv").open() as file:
        rows = [{name: value for name, value in row.items() if name != "seconds"} for row in csv.DictReader(file)]
    return rows, torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """For each epoch, whether the short step was chosen."""
    ways: list[bool] = []
    begin = ShortEpochLoop.on_run_start

    def on_run_start(self: ShortEpochLoop, fetcher: object) -> None:
        begin(self, fetcher)
        ways.append(self._short)

    monkeypatch.setattr(ShortEpochLoop, "on_run_start", on_run_start)
    return ways


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_short_way_equals_lightnings(cadence, tmp_path: Path, monkeypatch, taken: list[bool], precision: str) -> None:
    run = (*RUN, "--trainer.precision", precision)
    assert cadence(*run, "--run_dir", tmp_path / "short") == 0
    monkeypatch.setattr(epoch_loop, "_nobody_else", lambda trainer, ours: False)
    monkeypatch.setattr(classifier, "nobody_between", lambda module: False)
    assert cadence(*run, "--run_dir", tmp_path / "long") == 0
    assert taken == [True, True, False, False]
    (short_rows, short), (long_rows, long) = record(tmp_path / "short"), record(tmp_path / "long")
    assert short_rows == long_rows
    assert all(torch.equal(short[name], long[name]) for name in long)


class Listener(pl.Callback):
    """A callback that uses every hook of a step, and logs there."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx) -> None:
        self.heard.append(f"start {batch_idx} {len(batch[1])}")
        pl_module.log("listener", float(batch_idx))

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        self.heard.append(f"end {batch_idx} {float(trainer.callback_metrics['listener']):.0f}")


class EarListener(Listener):
    """A callback with hooks between gradient and step, which only Lightning's own loop calls."""

    def on_after_backward(self, trainer, pl_module) -> None:
        self.heard.append("backward")


def hear(cadence, monkeypatch: pytest.MonkeyPatch, ear: Listener, run: str = "run") -> list[str]:
    """The hooks of `ear` that are called in three steps."""
    from commands.configuration.cadence_cli import CadenceCLI

    with monkeypatch.context() as patch:
        build = CadenceCLI.build_trainer
        patch.setattr(CadenceCLI, "build_trainer", lambda self, extra, **kw: build(self, [*extra, ear], **kw))
        assert cadence(*RUN, "--trainer.max_steps", "3", "--run_dir", run) == 0
    return ear.heard


def test_callbacks_hear_and_log_the_same(cadence, monkeypatch, taken: list[bool]) -> None:
    short = hear(cadence, monkeypatch, Listener())
    monkeypatch.setattr(epoch_loop, "_nobody_else", lambda trainer, ours: False)
    long = hear(cadence, monkeypatch, Listener(), "long")
    assert taken == [True, False]
    assert short == long == ["start 0 64", "end 0 0", "start 1 64", "end 1 1", "start 2 64", "end 2 2"]


def test_who_stands_between_step_and_gradient_is_heard(cadence, monkeypatch, taken: list[bool]) -> None:
    assert hear(cadence, monkeypatch, EarListener()).count("backward") == 3
    assert taken == [False]


@pytest.mark.gpu
def test_a_gradient_scaler_goes_lightnings_way(cadence, taken: list[bool]) -> None:
    assert cadence(*RUN, "--trainer.max_steps", "2", "--trainer.precision", "16-mixed") == 0
    assert taken == [False]


def test_a_profiler_goes_lightnings_way(cadence, taken: list[bool]) -> None:
    assert cadence(*RUN, "--trainer.max_steps", "2", "--trainer.profiler", "simple") == 0
    assert taken == [False]
