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


def write(folder: Path, cells: int) -> None:
    """A study whose cells wait at step 40, in their job's first start, until there is a file `go`."""
    reached, go = str(folder / "reached-${SLURM_JOB_ID}"), str(folder / "go")
    wait = {"class_path": "tests.slurm.waiting.Wait", "init_args": {"step": 40, "reached": reached, "file": go}}
    rates = [0.01, 0.003, 0.001, 0.0003][:cells]
    written(folder / "rates", {"optimizer.lr": {"values": rates}, "trainer.callbacks": {"value": [wait]}})


def segments(run: Path) -> list[tuple[int, int]]:
    parts = json.loads((run / "result.json").read_text())["segments"]
    return [(part["from"], part["to"]) for part in parts]


def test_every_cell_ends_once(cluster: Cluster, tmp_path: Path) -> None:
    write(tmp_path, CELLS)
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
        ends = [0, 34, STEPS] if cell in lost else [0, STEPS]
        assert segments(root / cell) == [*pairwise(ends)]
    cluster.start_node("n1")
    tables = study(cluster, tmp_path)
    assert tables.returncode == 0 and f"rates at scale smoke: {CELLS} finished" in tables.stdout, tables.stderr
    assert not list(root.glob("*.failed.json"))


def test_the_tasks_of_an_array_share_a_study_s_cells(cluster: Cluster, tmp_path: Path) -> None:
    write(tmp_path, 2)
    script = HOUSE / "configs" / "cluster" / "study_array.sbatch"
    array = cluster.submit(tmp_path, "--array", "0-1", script, tmp_path / "rates", "--scale", "smoke")
    wait_until(lambda: len(list(tmp_path.glob("reached-*"))) == 2, 150, "each task to begin a cell")
    cluster.signal(f"{array}_0", "USR1")
    cluster.restarted(f"{array}_0")
    (tmp_path / "go").touch()
    logs = [tmp_path / f"slurm-{array}_{task}.out" for task in range(2)]
    states = [cluster.ended(f"{array}_{task}") for task in range(2)]
    assert states == ["COMPLETED"] * 2, f"{cluster.job(f'{array}_0')}\n{logs[0].read_text()}"
    assert f"job {array}_0 is queued again, and goes on from there" in logs[0].read_text()
    assert all("rates at scale smoke: 2 finished; tables in" in log.read_text() for log in logs)
    runs = [path.parent for path in (tmp_path / "runs" / "studies" / "rates").glob("*/result.json")]
    assert sorted(map(segments, runs)) == [[(0, 40), (40, STEPS)], [(0, STEPS)]]
    assert not list(tmp_path.rglob("*.failed.json"))
