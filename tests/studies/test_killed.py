"""SIGKILL of the launcher and of its workers, twenty times at random moments: nothing is lost, nothing runs twice."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from studies.files import read_table
from tests.studies.conftest import written

KILLS = 20
NAMES = ("id", "status", "optimizer.lr", "seed_everything", "steps", "test/loss", "val/loss", "train/epoch_loss")


def started(folder: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "cli", "study", "run", str(folder), "--workers", "2"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)


def members(session: int) -> list[int]:
    """Processes of a session that are alive."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(path.parent.name))
    return found


def table(folder: Path) -> list[dict[str, object]]:
    rows = read_table(Path("results/studies") / folder.name / "laptop" / "cells.csv")
    return [{name: row.get(name) for name in NAMES} for row in rows]


@pytest.mark.slow
def test_twenty_kills_lose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    folder = written(tmp_path / "rates", {"seed_everything": {"values": [1, 2, 3]}, "trainer.max_epochs": {"value": 4}})
    whole = started(folder)
    assert whole.wait(600) == 0
    expected = table(folder)
    shutil.rmtree("runs")
    shutil.rmtree("results")
    chance = random.Random(1)
    for _ in range(KILLS):
        launcher = started(folder)
        time.sleep(chance.uniform(8, 20))
        alive = members(launcher.pid)
        if launcher.poll() is None and alive:
            victim = chance.choice([launcher.pid, *alive])
            os.kill(victim, signal.SIGKILL)
            if victim != launcher.pid:
                time.sleep(chance.uniform(0, 3))
                launcher.kill()
        launcher.wait(60)
        deadline = time.monotonic() + 60
        while members(launcher.pid) and time.monotonic() < deadline:
            time.sleep(0.2)  # cells stop by themselves once their launcher is gone
        assert not members(launcher.pid)
    last = started(folder)
    assert last.wait(600) == 0
    assert table(folder) == expected
    runs = Path("runs/studies/rates")
    assert sorted(path.name for path in runs.iterdir() if path.is_dir()) == sorted(str(row["id"]) for row in expected)
