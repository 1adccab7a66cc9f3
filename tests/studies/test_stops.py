"""A signal to all processes of a study, as Ctrl-C in a terminal sends it: each cell stops as by one signal."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest
import torch

from records.run_directory import RunDirectory
from studies import worker
from studies.files import read_table
from studies.progress import Progress
from tests.studies.conftest import written

pytestmark = pytest.mark.usefixtures("hangs_up")

LONG = {"trainer.max_epochs": {"value": 400}, "seed_everything": {"value": 1}, "checkpoint_every": {"value": 100_000}}


@contextmanager
def running(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """A study in a process group of its own, two cells at a time, both past their tenth step when the block begins."""
    command = [sys.executable, "-m", "cli", "study", "run", str(folder), "--workers", "2"]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command, start_new_session=True, **streams) as launcher:  # type: ignore[call-overload]
        try:
            deadline = time.monotonic() + 120
            while min([0, 0, *map(rows, runs())][-2:]) < 10 and time.monotonic() < deadline and launcher.poll() is None:
                time.sleep(0.1)
            yield launcher
        finally:
            if launcher.poll() is None:
                os.killpg(launcher.pid, signal.SIGKILL)


def runs() -> list[Path]:
    return sorted(path for path in Path("runs/studies/rates").glob("*") if path.is_dir())


def rows(run: Path) -> int:
    return len(metrics.read_text().splitlines()) if (metrics := run / "metrics.csv").is_file() else 0


SENT: dict[str, Callable[[int], object]] = {
    "Ctrl-C": lambda group: os.killpg(group, signal.SIGINT),
    "SIGTERM to all": lambda group: os.killpg(group, signal.SIGTERM),
    "the terminal is closed": lambda group: os.killpg(group, signal.SIGHUP),
    "timeout -s INT": lambda group: [os.kill(group, signal.SIGINT), os.killpg(group, signal.SIGINT)],
}


@pytest.mark.parametrize("sent", SENT)
def test_each_cell_stops_behind_its_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sent: str) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    folder = written(tmp_path / "rates", LONG | {"optimizer.lr": {"values": [0.01, 0.02]}})
    with running(folder) as launcher:
        SENT[sent](launcher.pid)
        told, _ = launcher.communicate(timeout=60)
    assert launcher.returncode == 130, told
    assert "2 stopped; tables in" in told and "Go on with: cadence study run" in told
    assert [row["status"] for row in read_table(Path("results/studies/rates/laptop/cells.csv"))] == ["stopped"] * 2
    assert len(runs()) == 2 and not list(Path("runs").rglob("*.failed.json"))
    for run in runs():
        log = run.with_suffix(".log").read_text()
        step = re.search(r"Stopped after step ([\d,]+)\. Go on with", log)
        assert step is not None and "Traceback" not in log, log
        kept = torch.load(RunDirectory(run).last, weights_only=True)["global_step"]
        assert kept == int(step[1].replace(",", "")), "it ended at once, and lost the steps since its last checkpoint"


@pytest.mark.parametrize("when", ["while it is forked", "once it is there"])
def test_a_cell_that_has_just_begun_stops_too(
    cadence: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """Its process is forked from one that leaves signals to the cells, and may not answer them yet."""
    monkeypatch.chdir(tmp_path)
    folder = written(tmp_path / "rates", LONG | {"optimizer.lr": {"value": 0.01}})
    told, start = Progress.__call__, ForkServerProcess.start

    def stop_it(progress: Progress, cell: object, what: str, seconds: float) -> None:
        told(progress, cell, what, seconds)  # type: ignore[arg-type]
        if what == "started":
            os.kill(os.getpid(), signal.SIGTERM)

    def stop_at_its_fork(process: ForkServerProcess) -> None:
        is_cell = process._target is worker.run  # type: ignore[attr-defined]
        start(process)
        if is_cell:
            os.kill(os.getpid(), signal.SIGTERM)

    if when == "while it is forked":
        monkeypatch.setattr(ForkServerProcess, "start", stop_at_its_fork)
    else:
        monkeypatch.setattr(Progress, "__call__", stop_it)
    assert cadence("study", "run", str(folder)) == 130
    assert not list(Path("runs").rglob("*.failed.json"))
    assert not list(Path("runs").rglob("result.json"))
