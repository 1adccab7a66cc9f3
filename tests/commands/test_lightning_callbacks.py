"""Callbacks that Lightning ships: each has its effect, writes into the run directory, and is exact over a resume."""

import json
import shutil
import sys
import types
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning import Callback
from pytorch_lightning.callbacks import EMAWeightAveraging
from torch.nn import functional as F

from datamodules.sources import load_digits_arrays
from tests.commands.lightning_runs import (
    STEPS,
    Runs,
    assert_same_run,
    checkpoint,
    column,
    rows,
    same_weights,
    shows,
)


@pytest.fixture
def runs(cadence) -> Runs:
    return Runs(cadence)


def one(name: str, **options: Any) -> list[dict[str, Any]]:
    return [{"class_path": name, "init_args": options}]


AVERAGES = {
    "EMAWeightAveraging": one("EMAWeightAveraging", decay=0.9, update_every_n_steps=3, update_starting_at_step=4),
    "WeightAveraging": one("WeightAveraging"),
    "by epochs": one("EMAWeightAveraging", decay=0.5, update_every_n_steps=0, update_starting_at_epoch=0),
}


@shows("EMAWeightAveraging", "WeightAveraging")
@pytest.mark.parametrize("kind", AVERAGES)
def test_averaged_weights_over_a_resume(runs: Runs, kind: str) -> None:
    whole = runs("whole", callbacks=AVERAGES[kind])
    for stop in (7, STEPS, STEPS + 5):
        run = runs(f"stopped-{stop}", stop=stop, callbacks=AVERAGES[kind])
        assert_same_run(runs.resume(run), whole)


def test_ema_is_the_plain_formula(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside Lightning's callback, the moving average of each step's weights, taken by hand."""
    decay, mine = 0.8, {}
    moved = EMAWeightAveraging.on_train_batch_end

    def beside(self: Any, trainer: Any, module: Any, *rest: Any) -> None:
        moved(self, trainer, module, *rest)
        for name, value in module.named_parameters():
            kept = mine.get(name)
            mine[name] = value.detach().clone() if kept is None else decay * kept + (1 - decay) * value.detach()

    monkeypatch.setattr(EMAWeightAveraging, "on_train_batch_end", beside)
    run = runs("run", callbacks=one("EMAWeightAveraging", decay=decay))
    saved = checkpoint(run)
    for name, value in mine.items():
        torch.testing.assert_close(saved["state_dict"][name], value)
    assert not same_weights(saved["state_dict"], saved["current_model_state"])


def test_before_its_first_update_an_average_is_the_weights_in_training(runs: Runs) -> None:
    plain = runs("plain")
    late = one("EMAWeightAveraging", decay=0.9, update_starting_at_step=1000)
    run = runs("run", callbacks=late)
    assert rows(run) == rows(plain)
    for name in ("best", "last"):
        assert same_weights(checkpoint(run, name)["state_dict"], checkpoint(plain, name)["state_dict"])
    tested = [json.loads((path / "result.json").read_text())["metrics"] for path in (run, plain)]
    assert tested[0] == tested[1]
    assert_same_run(runs.resume(runs("stopped", stop=STEPS + 5, callbacks=late)), run)
    late = one("EMAWeightAveraging", decay=0.9, update_starting_at_step=STEPS + 2)
    whole = runs("whole", callbacks=late)
    assert column(whole, "val/loss")[0] == column(plain, "val/loss")[0]
    assert column(whole, "val/loss")[1] != column(plain, "val/loss")[1]


@pytest.mark.parametrize("kind", ["EMAWeightAveraging", "WeightAveraging"])
def test_both_checkpoints_are_tested_by_their_averaged_weights(runs: Runs, kind: str) -> None:
    """Fit's own test, `cadence test` of the same file, and the weights in the file by a plain run: one figure."""
    run = runs("run", callbacks=AVERAGES[kind])
    fitted = json.loads((run / "result.json").read_text())["metrics"]["test/loss"]
    assert runs.cadence("test", "--run_dir", run) == 0
    assert json.loads((run / "test.json").read_text())["metrics"]["test/loss"] == fitted
    for name in ("best", "last"):
        saved = checkpoint(run, name)
        assert not same_weights(saved["state_dict"], saved["current_model_state"])
        assert runs.cadence("test", "--run_dir", run, "--checkpoint", run / "checkpoints" / f"{name}.ckpt") == 0
        tested = json.loads((run / "test.json").read_text())["metrics"]["test/loss"]
        assert tested == pytest.approx(loss_on_test_images(saved["state_dict"]), rel=1e-6)
        assert tested != pytest.approx(loss_on_test_images(saved["current_model_state"]), rel=1e-3)


def loss_on_test_images(weights: dict[str, torch.Tensor]) -> float:
    """The mean loss of these weights, by hand."""
    arrays = load_digits_arrays()
    pixels = torch.from_numpy(arrays.test_images).flatten(1).float() / 255
    hidden = torch.relu(F.linear((pixels - 0.3051) / 0.3757, *layer(weights, "layers.linear_1")))
    logits = F.linear(hidden, *layer(weights, "layers.output"))
    return float(F.cross_entropy(logits, torch.from_numpy(arrays.test_labels).long()))


def layer(weights: dict[str, torch.Tensor], name: str) -> tuple[torch.Tensor, torch.Tensor]:
    return weights[f"{name}.weight"], weights[f"{name}.bias"]


@shows("EarlyStopping")
@pytest.mark.parametrize(("interval", "steps"), [(1.0, 3 * STEPS), (5, 15), (7, STEPS + 7)])
def test_a_run_that_early_stopping_ended_stays_ended(runs: Runs, interval: float, steps: int, capsys) -> None:
    """The first validation is the best, two after it are not better by 10. What it says to train on holds."""
    stopping = one("EarlyStopping", monitor="val/loss", patience=2, min_delta=10.0)
    run = runs("run", callbacks=stopping, max_epochs=8, val_check_interval=interval)
    assert json.loads((run / "result.json").read_text())["steps"] == steps
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    for longer in ([], ["--trainer.max_epochs", "16"]):
        capsys.readouterr()
        runs.resume(run, *longer)
        said = capsys.readouterr().out
        assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    command = said.rpartition("a new run from its weights: cadence ")[2].split()
    assert runs.cadence(*command, "--run_dir", "another", "--trainer.max_steps", "2") == 0


class Silent(Callback):
    """A stranger's, which might log what it likes."""


def test_a_monitor_that_only_time_can_tell_is_no_traceback(cadence, capfd) -> None:
    with pytest.raises(AssertionError):
        Runs(cadence)("run", callbacks=[*one("EarlyStopping", monitor="mine"), {"class_path": f"{__name__}.Silent"}])
    assert "EarlyStopping cannot monitor mine: there are val/loss" in capfd.readouterr().err
    with pytest.raises(AssertionError):
        Runs(cadence)(
            "other", callbacks=[*one("ModelCheckpoint", monitor="mine"), {"class_path": f"{__name__}.Silent"}]
        )
    assert "ModelCheckpoint cannot monitor mine: there are val/loss" in capfd.readouterr().err


@pytest.mark.parametrize("stop", [STEPS - 3, 2 * STEPS])
def test_early_stopping_over_a_resume(runs: Runs, stop: int) -> None:
    stopping = one("EarlyStopping", monitor="val/loss", patience=2, min_delta=10.0)
    whole = runs("whole", callbacks=stopping, max_epochs=8)
    run = runs("run", stop=stop, callbacks=stopping, max_epochs=8)
    assert_same_run(runs.resume(run), whole)


def test_a_run_shorter_than_its_first_validation_is_no_mistake(runs: Runs) -> None:
    run = runs("run", callbacks=one("EarlyStopping", monitor="val/loss"), max_steps=3)
    assert json.loads((run / "result.json").read_text())["steps"] == 3


def test_early_stopping_tells_why_when_asked(runs: Runs, caplog: pytest.LogCaptureFixture) -> None:
    runs("run", callbacks=one("EarlyStopping", monitor="val/loss", verbose=True, stopping_threshold=100.0))
    assert any("Stopping threshold reached" in record.getMessage() for record in caplog.records)


def test_a_checkpoint_is_told_when_asked(runs: Runs, caplog: pytest.LogCaptureFixture) -> None:
    runs("run", callbacks=one("ModelCheckpoint", monitor="val/loss", verbose=True), max_epochs=1)
    told = [record.getMessage() for record in caplog.records if record.name.startswith("pytorch_lightning")]
    assert len(told) == 1 and "Epoch 0, global step 16: 'val/loss' reached" in told[0]


MONITORING = {
    "EarlyStopping": one("EarlyStopping", monitor="val_loss"),
    "ModelCheckpoint": one("ModelCheckpoint", monitor="val_loss"),
    "TimeToTarget": one("TimeToTarget", monitor="val_loss"),
    "not strict": one("EarlyStopping", monitor="val_loss", strict=False),
}


@pytest.mark.parametrize("kind", MONITORING)
def test_a_monitor_that_nothing_logs_is_told_before_training(cadence, capfd, tmp_path: Path, kind: str) -> None:
    with pytest.raises(AssertionError):
        Runs(cadence)("run", callbacks=MONITORING[kind])
    message = capfd.readouterr().err
    assert "cannot monitor val_loss: there are val/loss, val/accuracy, val/error" in message
    assert not (tmp_path / "run").exists()


def test_two_whose_states_are_one(cadence, capfd) -> None:
    with pytest.raises(AssertionError):
        Runs(cadence)("run", callbacks=[*one("EMAWeightAveraging"), *one("EMAWeightAveraging", decay=0.5)])
    assert "trainer.callbacks: a checkpoint cannot tell the states of two EMAWeightAveraging" in capfd.readouterr().err


def test_a_time_between_checkpoints_would_have_no_effect(cadence, capfd) -> None:
    with pytest.raises(AssertionError):
        Runs(cadence)("run", callbacks=one("ModelCheckpoint", train_time_interval="00:10:00"))
    assert "trainer.callbacks: ModelCheckpoint's train_time_interval has no effect" in capfd.readouterr().err


def test_a_monitor_of_a_validation_that_is_not_there(cadence, capfd) -> None:
    with pytest.raises(AssertionError):
        Runs(cadence)("run", callbacks=one("EarlyStopping", monitor="val/loss"), limit_val_batches=0)
    assert (
        "val/loss, as nothing is validated: there are train/epoch_loss, train/epoch_accuracy" in capfd.readouterr().err
    )


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
