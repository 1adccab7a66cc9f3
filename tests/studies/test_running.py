"""`cadence study run` on the digits: cells end once, failed ones leave the rest alone, killed ones go on."""

import json
import os
import shlex
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from records.metrics_rows import read_rows
from studies import local, running
from studies.files import read_table
from studies.local import Launcher
from studies.progress import in_words
from tests.studies.conftest import STUDY, written

Cadence = Callable[..., int]
CLAIM = {"says": "so", "source": "there", "check": "at_least", "value": 1}
METRICS = ("test/accuracy", "test/loss", "val/loss", "train/epoch_loss", "steps", "status")


def table(folder: Path, scale: str = "laptop") -> list[dict[str, object]]:
    """What a study found, apart from times."""
    rows = read_table(Path("results/studies") / folder.name / scale / "cells.csv")
    return [{name: row.get(name) for name in ("id", "optimizer.lr", "seed_everything", *METRICS)} for row in rows]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_runs_each_cell_once(
    cadence: Cadence, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cadence("study", "run", str(folder), "--dry-run") == 0
    assert "0 of 4 cells are done; an unknown time left" in capsys.readouterr().out
    assert cadence("study", "run", str(folder), "--scale", "smoke") == 0
    assert len(table(folder, "smoke")) == 2
    capsys.readouterr()
    assert cadence("study", "run", str(folder)) == 0
    shown = capsys.readouterr()
    assert shown.err.count("finished after") == 2 and "\n4 of 4: lr=0.0" in shown.err
    assert "rates at scale laptop: 4 finished" in shown.out
    found = table(folder)
    assert [row["status"] for row in found] == ["finished"] * 4 and len({row["id"] for row in found}) == 4
    # a cell is what `cadence fit` alone gives
    cell = found[1]
    arguments = ["--config=digits_demo", "--model=MLP", "--model.hidden_sizes=[8]", "--optimizer.lr=0.01"]
    alone = ["fit", *arguments, "--seed_everything=2", "--trainer.max_epochs=2", "--run_dir", "alone"]
    assert cadence(*alone) == 0
    assert json.loads(Path("alone/result.json").read_text())["metrics"]["test/loss"] == cell["test/loss"]
    there, here = (read_rows(Path(run) / "metrics.csv")[1] for run in ("alone", f"runs/studies/rates/{cell['id']}"))
    assert [row | {"seconds": ""} for row in there] == [row | {"seconds": ""} for row in here]
    # nothing is left to do: no cell starts
    monkeypatch.setattr(local.Launcher, "_start", lambda *args: pytest.fail("a finished cell was started"))
    capsys.readouterr()
    assert cadence("study", "run", str(folder)) == 0
    assert cadence("study", "run", str(folder), "--dry-run") == 0
    assert "4 of 4 cells are done; 0 minutes left" in capsys.readouterr().out


def test_a_failed_cell_leaves_the_rest_alone(
    cadence: Cadence, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = written(
        tmp_path / "bad", {"data.val_fraction": {"values": [0.2, 0.9999]}, "seed_everything": {"value": 1}}
    )
    assert cadence("study", "run", str(folder), "--scale", "smoke") == 1
    rows = read_table(Path("results/studies/bad/smoke/cells.csv"))
    assert sorted(row["status"] for row in rows) == ["failed", "failed", "finished", "finished"]
    assert all("val_fraction" in row["error"] for row in rows if row["status"] == "failed")
    shown = capsys.readouterr()
    assert "2 finished" in shown.out and "failed: lr=0.01 val_fraction=0.9999: see" in shown.out
    # a failed cell is tried again by the next call
    assert cadence("study", "run", str(folder), "--scale", "smoke") == 1


def test_a_cell_that_its_range_test_refuses_is_over(
    cadence: Cadence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody can do anything about it: it is recorded with its reason, and not tried again."""
    flat = "[{class_path: LRRangeTest, init_args: {steps: 20, seeds: 1, lower: %s, upper: %s, update_lr: true}}]"
    values = [flat % ("1e-12", "1e-11"), flat % ("1e-5", "1.0")]
    folder = written(tmp_path / "found", {"trainer.callbacks": {"values": values}, "optimizer.lr": {"value": 1.0}})
    assert cadence("study", "run", str(folder), "--scale", "smoke") == 0
    refused, found = read_table(Path("results/studies/found/smoke/cells.csv"))
    assert (refused["status"], found["status"]) == ("refused", "finished")
    assert "update_lr: LRRangeTest suggests no rate (the curve is flat" in refused["error"]
    assert "lr" not in refused and 1e-5 < found["lr"] < 1
    assert "1 refused, 1 finished" in capsys.readouterr().out
    monkeypatch.setattr(local.Launcher, "_start", lambda *args: pytest.fail("a refused cell was started"))
    assert cadence("study", "run", str(folder), "--scale", "smoke") == 0


def test_a_mistake_in_the_sweep_is_told_before_anything_runs(
    cadence: Cadence, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = written(tmp_path / "bad", {"optimizer.rl": {"value": 1}})
    assert cadence("study", "run", str(folder)) == 2
    assert "rl" in capsys.readouterr().err and not Path("runs").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"exhibits": [{"kind": "tabel", "title": "x"}]}, "exhibits: kind: tabel is none of table, by_epoch"),
        ({"exhibits": [{"kind": "table", "title": "x"}]}, "exhibits: table needs rows: add it"),
        ({"claims": [CLAIM | {"metrik": "x"}]}, "claim 'so': at_least has no option metrik: known are metric, value"),
        ({"claims": [CLAIM | {"metric": "x", "than": 1}]}, "claim 'so': at_least has no option than"),
    ],
)
def test_a_mistake_in_the_report_is_told_before_anything_runs(
    cadence: Cadence, folder: Path, content: dict[str, object], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "study.yaml").write_text(yaml.safe_dump(STUDY | content))
    assert cadence("study", "run", str(folder)) == 2
    assert message in capsys.readouterr().err and not Path("runs").exists()


def test_a_run_that_is_there_twice_is_refused(
    cadence: Cadence, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Written in two ways, it is one: both would be the same row, and count for two seeds."""
    folder = written(tmp_path / "twice", {"optimizer.lr": {"values": [0.01, "1e-2"]}})
    assert cadence("study", "run", str(folder)) == 2
    assert "lr=0.01 seed_everything=1 and lr=1e-2 seed_everything=1 are the same run" in capsys.readouterr().err


def test_a_folder_that_cannot_be_is_told_before_anything_runs(
    cadence: Cadence, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a file").touch()
    for option in ("--results", "--runs"):
        assert cadence("study", "run", str(folder), option, "a file/below") == 2
        assert "a file/below" in capsys.readouterr().err and not list(Path("runs/studies").glob("*/*"))


def test_a_killed_worker_costs_its_cell_one_more_try(
    cadence: Cadence, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cadence("study", "run", str(folder)) == 0
    whole = table(folder)
    shutil.rmtree("runs")
    shutil.rmtree("results")
    killed: list[str] = []
    told = Launcher._start

    def start_and_kill(launcher: Launcher, cell: object) -> None:
        told(launcher, cell)  # type: ignore[arg-type]
        run = next(reversed(launcher._running.values()))
        if not killed:
            killed.append(run.cell.id)
            os.kill(run.process.pid or 0, signal.SIGKILL)

    monkeypatch.setattr(Launcher, "_start", start_and_kill)
    assert cadence("study", "run", str(folder)) == 0
    assert table(folder) == whole and killed


def test_a_cell_that_is_killed_twice_has_failed(
    cadence: Cadence, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Launcher._start

    def start_and_kill(launcher: Launcher, cell: object) -> None:
        told(launcher, cell)  # type: ignore[arg-type]
        run = next(reversed(launcher._running.values()))
        if run.cell.parameters["optimizer.lr"] == 0.01:
            os.kill(run.process.pid or 0, signal.SIGKILL)

    monkeypatch.setattr(Launcher, "_start", start_and_kill)
    assert cadence("study", "run", str(folder), "--scale", "smoke") == 1
    assert [row["status"] for row in table(folder, "smoke")] == ["failed", "finished"]
    failure = next(Path("runs/studies/rates").glob("*.failed.json"))
    assert json.loads(failure.read_text()) == {"status": -9, "error": "", "tries": 2}


def test_stopped_and_gone_on(
    cadence: Cadence, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cadence("study", "run", str(folder)) == 0
    whole = table(folder)
    shutil.rmtree("runs")
    shutil.rmtree("results")
    with monkeypatch.context() as patch:
        told = running.Progress.__call__

        def stop_after_one(progress: running.Progress, cell: object, what: str, seconds: float) -> None:
            told(progress, cell, what, seconds)  # type: ignore[arg-type]
            if what == "finished":
                os.kill(os.getpid(), signal.SIGTERM)

        patch.setattr(running.Progress, "__call__", stop_after_one)
        assert cadence("study", "run", str(folder), "--seeds", "2", "--runs", "my runs") == 130
    shown = capsys.readouterr().out
    again = f"study run {folder} --scale laptop --seeds 2 --runs 'my runs'"
    assert f"Go on with: cadence {again}" in shown
    assert {row["status"] for row in table(folder)} > {"finished"}
    assert cadence(*shlex.split(again)) == 0
    assert table(folder) == whole


def test_a_diverged_cell_is_a_result(cadence: Cadence, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rates = {"optimizer.lr": {"values": [0.01, 1e30]}, "seed_everything": {"value": 1}}
    folder = written(tmp_path / "rates", rates)
    assert cadence("study", "run", str(folder), "--scale", "smoke") == 0
    assert "1 finished, 1 diverged" in capsys.readouterr().out
    good, gone = read_table(Path("results/studies/rates/smoke/cells.csv"))
    assert (good["status"], gone["status"]) == ("finished", "diverged")
    assert gone["diverged/step"] == 2 and gone["diverged/lr"] == 1e30 and "test/accuracy" not in gone
    assert cadence("study", "run", str(folder), "--scale", "smoke", "--dry-run") == 0
    assert "2 of 2 cells are done" in capsys.readouterr().out


def test_cells_of_two_processes_give_what_one_gives(cadence: Cadence, tmp_path: Path) -> None:
    """Lightning starts the second process by this one's command, which must be the cell's and not the study's."""
    rows = {}
    two = {"trainer.devices": {"value": 2}, "trainer.strategy": {"value": "ddp"}}
    for name, more in (("one", {}), ("two", two)):
        study = written(tmp_path / name, {"trainer.precision": {"value": "64-true"}, **more})
        assert cadence("study", "run", str(study), "--scale", "smoke") == 0
        rows[name] = table(study, "smoke")
    assert len(rows["two"]) == 2
    for mine, theirs in zip(rows["two"], rows["one"], strict=True):
        assert (mine["status"], mine["optimizer.lr"]) == ("finished", theirs["optimizer.lr"])
        assert mine["val/loss"] == pytest.approx(theirs["val/loss"], abs=1e-10)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "an unknown time"),
        (0.0, "0 minutes"),
        (20.0, "less than a minute"),
        (60.0, "about a minute"),
        (300.0, "about 5 minutes"),
        (9000.0, "about 2.5 hours"),
    ],
)
def test_the_time_that_is_left_in_words(seconds: float | None, said: str) -> None:
    assert in_words(seconds) == said
