"""Real processes: two of them train as one, and signals stop a run that can then go on."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from tests.ranks import free_port

HOUSE = Path(__file__).resolve().parents[2]
COMMON = [
    sys.executable, str(HOUSE / "cli.py"), "fit", "--model", "MLP", "--model.hidden_sizes", "[32]", "--data", "Digits",
    "--optimizer", "SGD", "--optimizer.lr", "0.1", "--trainer.log_every_n_steps", "5",
    "--trainer.enable_progress_bar", "false", "--trainer.accelerator", "cpu",
]  # fmt: skip


def run(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [*COMMON, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, env=environment())


def environment() -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1", "MASTER_ADDR": "127.0.0.1"}


def rows(run_dir: Path) -> list[dict[str, str]]:
    with (run_dir / "metrics.csv").open() as file:
        return [{name: value for name, value in row.items() if name != "seconds"} for row in csv.DictReader(file)]


def weights(run_dir: Path) -> dict[str, torch.Tensor]:
    return torch.load(run_dir / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


def test_two_processes_are_one(tmp_path: Path) -> None:
    """Uneven batches and augmentation included: 998 samples in batches of 61 leave an odd last batch."""
    options = [
        "--trainer.precision", "64-true", "--trainer.max_epochs", "2", "--data.batch_size", "61",
        "--data.augment+=RandomCrop", "--data.augment.padding", "1",
    ]  # fmt: skip
    for name, devices in (("one", []), ("two", ["--trainer.devices", "2", "--trainer.strategy", "ddp"])):
        done = run(*options, *devices, "--run_dir", tmp_path / name, cwd=tmp_path)
        assert done.returncode == 0, done.stderr[-2000:]
    one, two = rows(tmp_path / "one"), rows(tmp_path / "two")
    assert [row["step"] for row in one] == [row["step"] for row in two]
    for mine, theirs in zip(one, two, strict=True):
        for key, value in mine.items():
            assert (value == theirs[key] == "") or float(value) == pytest.approx(float(theirs[key]), rel=1e-10)
    mine_weights, their_weights = weights(tmp_path / "one"), weights(tmp_path / "two")
    assert all(torch.allclose(mine_weights[key], their_weights[key], rtol=0, atol=1e-10) for key in mine_weights)


@pytest.mark.parametrize("number", [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGTERM])
def test_a_signal_stops_and_resume_goes_on(tmp_path: Path, number: signal.Signals) -> None:
    whole = run("--trainer.max_epochs", "60", "--run_dir", tmp_path / "whole", cwd=tmp_path)
    assert whole.returncode == 0, whole.stderr[-2000:]
    run_dir = tmp_path / "run"
    command = [*COMMON, "--trainer.max_epochs", "60", "--run_dir", str(run_dir)]
    process = subprocess.Popen(
        command, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        deadline = time.monotonic() + 120
        while not (run_dir / "metrics.csv").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(number)
        output, errors = process.communicate(timeout=120)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130, errors[-2000:]
    assert f"--resume {run_dir}" in output
    assert "Traceback" not in errors
    assert len(rows(run_dir)) < len(rows(tmp_path / "whole"))
    resumed = subprocess.run(
        [sys.executable, str(HOUSE / "cli.py"), "fit", "--resume", str(run_dir)],
        cwd=tmp_path, capture_output=True, text=True, timeout=300, env=environment(),
    )  # fmt: skip
    assert resumed.returncode == 0, resumed.stderr[-2000:]
    assert rows(run_dir) == rows(tmp_path / "whole")
    mine, theirs = weights(run_dir), weights(tmp_path / "whole")
    assert all(torch.equal(mine[key], theirs[key]) for key in mine)


@pytest.mark.slow
def test_a_run_goes_on_with_more_processes(tmp_path: Path) -> None:
    """Devices and processes may change on a resume, as two processes are one; each has its segment."""
    length, devices = ["--trainer.max_epochs", "2"], ["--trainer.devices", "2", "--trainer.strategy", "ddp"]
    options = ["--trainer.precision", "64-true", "--data.batch_size", "61"]
    whole = run(*options, *length, "--run_dir", tmp_path / "whole", cwd=tmp_path)
    assert whole.returncode == 0, whole.stderr[-2000:]
    one = run(*options, "--trainer.max_epochs", "1", "--run_dir", tmp_path / "run", cwd=tmp_path)
    assert one.returncode == 0, one.stderr[-2000:]
    two = subprocess.run(
        [*COMMON[:3], "--resume", str(tmp_path / "run"), *length, *devices],
        cwd=tmp_path, capture_output=True, text=True, timeout=300, env=environment(),
    )  # fmt: skip
    assert two.returncode == 0, two.stderr[-2000:]
    for mine, theirs in zip(rows(tmp_path / "run"), rows(tmp_path / "whole"), strict=True):
        for key, value in mine.items():
            assert (value == theirs[key] == "") or float(value) == pytest.approx(float(theirs[key]), rel=1e-10)
    segments = json.loads((tmp_path / "run" / "result.json").read_text())["segments"]
    assert [(part["from"], part["to"], part["environment"]["processes"]) for part in segments] == [
        (0, 17, 1),
        (17, 34, 2),
    ]


@pytest.mark.slow
def test_a_process_that_never_comes_is_not_waited_for(tmp_path: Path) -> None:
    left = {"WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0", "GROUP_RANK": "0", "LOCAL_WORLD_SIZE": "1"}
    alone = environment() | left | {"MASTER_PORT": str(free_port()), "TORCHELASTIC_RUN_ID": "tests"}
    options = ["-c", "cluster/ddp.yaml", "--trainer.num_nodes", "2", "--trainer.strategy.timeout", "0:00:03"]
    options += ["--trainer.devices", "1", "--trainer.max_epochs", "1", "--run_dir", str(tmp_path / "run")]
    done = subprocess.run([*COMMON, *options], cwd=tmp_path, capture_output=True, text=True, timeout=120, env=alone)
    assert done.returncode == 2
    assert "cadence: trainer: 1 of 2 processes came within " in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()
