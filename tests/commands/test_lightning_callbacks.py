"""Callbacks that Lightning ships: each has its effect, writes into the run directory, and is exact over a resume.

Its averages and EarlyStopping have files of their own: test_lightning_averages.py, test_early_stopping.py.
"""

import shutil
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from pytorch_lightning import Callback

from tests.commands.lightning_runs import STEPS, Runs, assert_same_run, column, one, rows, shows


@pytest.fixture
def runs(cadence) -> Runs:
    return Runs(cadence)


def test_a_checkpoint_is_told_when_asked(runs: Runs, caplog: pytest.LogCaptureFixture) -> None:
    runs("run", callbacks=one("ModelCheckpoint", monitor="val/loss", verbose=True), max_epochs=1)
    told = [record.getMessage() for record in caplog.records if record.name.startswith("pytorch_lightning")]
    assert len(told) == 1 and "Epoch 0, global step 16: 'val/loss' reached" in told[0]


def test_two_whose_states_are_one(cadence, capfd) -> None:
    with pytest.raises(AssertionError):
        Runs(cadence)("run", callbacks=[*one("EMAWeightAveraging"), *one("EMAWeightAveraging", decay=0.5)])
    assert "trainer.callbacks: a checkpoint cannot tell the states of two EMAWeightAveraging" in capfd.readouterr().err


def test_a_time_between_checkpoints_would_have_no_effect(cadence, capfd) -> None:
    with pytest.raises(AssertionError):
        Runs(cadence)("run", callbacks=one("ModelCheckpoint", train_time_interval="00:10:00"))
    assert "trainer.callbacks: ModelCheckpoint's train_time_interval has no effect" in capfd.readouterr().err


HEARD: list[str] = []


def hear(*_: Any) -> None:
    HEARD.append("train_batch_end")


@shows("LambdaCallback")
def test_a_lambda_callback_is_heard_at_each_step(runs: Runs) -> None:
    HEARD.clear()
    runs("run", callbacks=one("LambdaCallback", on_train_batch_end=f"{__name__}.hear"))
    assert len(HEARD) == 2 * STEPS


@shows("LearningRateMonitor")
@pytest.mark.parametrize("interval", [None, "step", "epoch"])
def test_rates_stand_in_the_rows_of_their_steps(runs: Runs, interval: str | None) -> None:
    drops = one("MultiStepLR", milestones=[5.0], unit="steps")
    callbacks = [*one("LearningRateMonitor", logging_interval=interval), *drops]
    whole = runs("whole", callbacks=callbacks)
    logged = column(whole, "lr-Adam")
    if interval == "step":
        ours = column(whole, "lr")
        assert [step for step, _ in logged] == [step for step, _ in ours] == [5, 10, 15, 20, 25, 30]
    assert all(step in (0, 5, 10, 15, 16, 20, 25, 30) for step, _ in logged)
    for stop in (STEPS - 3, STEPS):
        run = runs(f"run-{stop}", stop=stop, callbacks=callbacks)
        assert_same_run(runs.resume(run), whole)


@shows("DeviceStatsMonitor")
def test_figures_of_the_device_stand_in_the_rows(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    gauge = types.SimpleNamespace(percent=7.0)
    fake = types.ModuleType("psutil")
    fake.virtual_memory = fake.swap_memory = lambda: gauge  # type: ignore[attr-defined]
    fake.cpu_percent = lambda: 5.0  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "psutil", fake)
    for module in ("accelerators.cpu", "callbacks.device_stats_monitor"):
        monkeypatch.setattr(f"pytorch_lightning.{module}._PSUTIL_AVAILABLE", True)
    run = runs("run", callbacks=one("DeviceStatsMonitor"))
    found = column(run, "DeviceStatsMonitor.on_train_batch_end/cpu_percent")
    assert found == [(step, 5.0) for step in (5, 10, 15, 20, 25, 30)]


def test_a_missing_library_is_told(cadence, capfd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytorch_lightning.callbacks.device_stats_monitor._PSUTIL_AVAILABLE", False)
    with pytest.raises(AssertionError):
        Runs(cadence)("run", callbacks=one("DeviceStatsMonitor"))
    assert "psutil" in capfd.readouterr().err


@shows("ModelCheckpoint")
def test_model_checkpoints_lie_in_the_run_directory_and_outlive_a_move(runs: Runs, tmp_path: Path) -> None:
    best = one("ModelCheckpoint", monitor="val/loss", save_top_k=2, filename="{epoch}-{step}", save_last=True)
    whole = runs("whole", callbacks=best, max_epochs=3)
    run = runs("run", stop=STEPS + 5, callbacks=best, max_epochs=3)
    shutil.move(run, "moved")
    runs.resume(Path("moved"))
    assert_same_run(Path("moved"), whole)
    kept = {path.name for path in Path("moved/checkpoints/model_checkpoint").iterdir()}
    assert kept == {path.name for path in Path("whole/checkpoints/model_checkpoint").iterdir()}
    assert kept == {"epoch=1-step=32.ckpt", "epoch=2-step=48.ckpt", "last.ckpt"}
    assert {path.name for path in tmp_path.iterdir()} == {"whole", "moved", "whole.yaml", "run.yaml"}
    assert runs.cadence("test", "--run_dir", "moved", "--checkpoint",
                        "moved/checkpoints/model_checkpoint/epoch=1-step=32.ckpt") == 0  # fmt: skip


def test_a_model_checkpoint_of_a_folder_lies_below_the_run_directory(runs: Runs, tmp_path: Path) -> None:
    run = runs("run", callbacks=one("ModelCheckpoint", dirpath="mine", every_n_train_steps=7, save_top_k=-1))
    assert {path.name for path in (run / "mine").iterdir()} == {
        f"epoch={n // 17}-step={n}.ckpt" for n in (7, 14, 21, 28)
    }
    assert not (tmp_path / "mine").exists()


@shows("ModelSummary", "enable_model_summary")
def test_a_model_s_summary_is_told(runs: Runs, caplog: pytest.LogCaptureFixture, capsys) -> None:
    runs("run", callbacks=one("ModelSummary", max_depth=2), max_steps=1)
    assert any("Trainable params" in record.getMessage() for record in caplog.records)
    runs("rich", enable_model_summary=True, max_steps=1)
    assert "Trainable params" in capsys.readouterr().out


@shows("RichModelSummary")
def test_a_rich_summary_is_told(runs: Runs, capsys) -> None:
    runs("run", callbacks=one("RichModelSummary"), max_steps=1)
    assert "Trainable params" in capsys.readouterr().out


@shows("RichProgressBar", "TQDMProgressBar", "enable_progress_bar")
@pytest.mark.parametrize("bar", ["RichProgressBar", "TQDMProgressBar"])
def test_a_configured_bar_stands_for_ours(runs: Runs, monkeypatch: pytest.MonkeyPatch, bar: str) -> None:
    drawn = []

    def note(trainer: Any, module: Any) -> None:
        drawn.extend(type(callback).__name__ for callback in trainer.progress_bar_callback.__class__.__mro__)
        drawn.append(type(trainer.progress_bar_callback).__name__)

    from trainer.shipped_callbacks import ShippedCallbacks

    monkeypatch.setattr(ShippedCallbacks, "on_train_start", lambda self, trainer, module: note(trainer, module))
    runs("run", callbacks=one(bar), enable_progress_bar=True, max_steps=1)
    assert drawn[-1] == bar


def test_rows_of_one_step_are_one_row_whoever_logs(runs: Runs) -> None:
    """A stranger's `self.log` at a step, and at an epoch's end, comes under the steps that are finished."""
    run = runs("run", callbacks=[{"class_path": f"{__name__}.Logging"}])
    assert column(run, "mine/step") == [(step, float(step)) for step in (5, 10, 15, 20, 25, 30)]
    assert column(run, "mine/epoch") == [(16, 16.0), (32, 32.0)]
    assert [int(row["step"]) for row in rows(run)] == [5, 10, 15, 16, 20, 25, 30, 32]


class Logging(Callback):
    """A stranger's, which logs by Lightning."""

    def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
        self.log("mine/step", float(trainer.global_step), on_step=True, on_epoch=False)

    def on_train_epoch_end(self, trainer: Any, *_: Any) -> None:
        self.log("mine/epoch", float(trainer.global_step))
