"""The benchmarks for a GPU, run small on whatever is here: every way to train has its rows, and none is timed."""

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HOUSE = Path(__file__).resolve().parents[1]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("g++") is None, reason="torch compiles by g++"),
]


def run(folder: Path, script: str, *words: str) -> list[dict[str, str]]:
    """The rows that a benchmark writes."""
    environment = os.environ | {"PYTHONPATH": str(HOUSE), "OMP_NUM_THREADS": "1", "TORCHINDUCTOR_COMPILE_THREADS": "1"}
    command = [sys.executable, HOUSE / "benchmarks" / script, *words, "--out", folder / "found.csv"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    with (folder / "found.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_steps(tmp_path: Path) -> None:
    small = ("--networks", "ResNet-8", "--sizes", "8", "--rounds", "2", "--steps", "1", "--warm-up", "2")
    rows = run(tmp_path, "gpu_step.py", *small)
    assert [row["arm"] for row in rows] == ["fit", "fit+", "eager", "compiled", "graphs", "stock"]
    assert all(float(row["ms_per_step"]) > 0 and float(row["to_best"]) > 0 for row in rows)
    assert max(float(row["to_best"]) for row in rows if row["arm"] in ("eager", "compiled", "graphs")) <= 1
    operations = {row["gigaoperations"] for row in rows}
    assert len(operations) == 1 and float(operations.pop()) > 0
    assert {"gpu", "cpu", "torch", "lightning", "date", "rounds"} <= rows[0].keys()


def test_augmentation(tmp_path: Path) -> None:
    small = ("--network", "ResNet-8", "--copies", "1", "2", "--modes", "eager", "--rounds", "2", "--steps", "1")
    rows = run(tmp_path, "gpu_augmentation.py", *small)
    assert [(row["copies"], row["images"]) for row in rows] == [("1", "64"), ("2", "128")]
    assert all(float(row["ms_alone"]) > 0 and row["met"] in ("yes", "no") for row in rows)
