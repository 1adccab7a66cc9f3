"""A study as an array of jobs: one node goes down midway, and every cell ends once."""

import json
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from studies.cells import CellDirectory
from studies.states import FINISHED, state
from tests.slurm.cluster import HOUSE, Cluster, wait_until
from tests.studies.conftest import written

pytestmark = pytest.mark.slurm
CELLS = 4
STEPS = 68


def study(cluster: Cluster, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = ["cadence", "study", "run", str(folder / "rates"), "--scale", "smoke", *words]
    return subprocess.run(command, env=cluster.environment, cwd=folder, capture_output=True, text=True, timeout=240)


def test_every_cell_ends_once(cluster: Cluster, tmp_path: Path) -> None:
    wait = {"class_path": "tests.slurm.waiting.Wait", "init_args": {"step": 40}}
    wait["init_args"] |= {"reached": str(tmp_path / "reached-${SLURM_JOB_ID}"), "file": str(tmp_path / "go")}
    rates = [0.01, 0.003, 0.001, 0.0003]
    written(tmp_path / "rates", {"optimizer.lr": {"values": rates}, "trainer.callbacks": {"value": [wait]}})
    asks = "timeout_min=10 cpus_per_task=2"
    handed = study(cluster, tmp_path, "--launcher", "slurm", "--slurm", asks, "--workers", str(CELLS))
    assert handed.returncode == 0 and f"{CELLS} of {CELLS} cells handed in" in handed.stdout, handed.stderr
    root = tmp_path / "runs" / "studies" / "rates"
    notes = sorted(root.glob("*.job"))
    jobs = {note.stem: note.read_text().strip() for note in notes}
    assert len(jobs) == CELLS and all("_" in job for job in jobs.values())
    wait_until(lambda: len(list(tmp_path.glob("reached-*"))) == CELLS, 150, "all cells to begin")
    lost = {cell: job for cell, job in jobs.items() if cluster.job(job)["NodeList"] == "n1"}
    assert len(lost) == 2
    cluster.lose("n1", with_jobs=True)
    (tmp_path / "go").touch()
    for job in lost.values():
        cluster.restarted(job)
    for cell, job in jobs.items():
        assert cluster.ended(job) == "COMPLETED"
        assert state(CellDirectory(root, cell)) == FINISHED
        segments = json.loads((root / cell / "result.json").read_text())["segments"]
        ends = [0, 34, STEPS] if cell in lost else [0, STEPS]
        assert [(part["from"], part["to"]) for part in segments] == [*pairwise(ends)]
    cluster.start_node("n1")
    tables = study(cluster, tmp_path)
    assert tables.returncode == 0 and f"rates at scale smoke: {CELLS} finished" in tables.stdout, tables.stderr
    assert HOUSE.is_dir() and not list(root.glob("*.failed.json"))
