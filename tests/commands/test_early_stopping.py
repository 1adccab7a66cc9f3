"""Lightning's EarlyStopping, and what a callback may monitor."""

import json
from pathlib import Path

import pytest
from pytorch_lightning import Callback

from tests.commands.lightning_runs import STEPS, Runs, assert_same_run, one, shows


@pytest.fixture
def runs(cadence) -> Runs:
    return Runs(cadence)


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


def test_a_monitor_of_a_validation_that_is_not_there(cadence, capfd) -> None:
    with pytest.raises(AssertionError):
        Runs(cadence)("run", callbacks=one("EarlyStopping", monitor="val/loss"), limit_val_batches=0)
    assert (
        "val/loss, as nothing is validated: there are train/epoch_loss, train/epoch_accuracy" in capfd.readouterr().err
    )
