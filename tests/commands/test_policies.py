"""A run with every policy equals itself killed at any moment and resumed, and itself on two processes."""

import csv
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from tests.forked import Child, begun

HOUSE = Path(__file__).resolve().parents[2]
EVERY_POLICY = [
    "--trainer.callbacks+=CyclicalLR", "--trainer.callbacks.lower", "0.002", "--trainer.callbacks.upper", "0.05",
    "--trainer.callbacks.half_cycle", "1", "--trainer.callbacks.mode", "exp_range", "--trainer.callbacks.gamma", "0.8",
    "--trainer.callbacks+=CyclicalBatchSize", "--trainer.callbacks.lower", "16", "--trainer.callbacks.upper", "64",
    "--trainer.callbacks.half_cycle", "1.5", "--trainer.callbacks.gamma", "0.8",
    "--trainer.callbacks+=BatchAugmentedCutout", "--trainer.callbacks.copies", "2", "--trainer.callbacks.size", "3",
    "--data.augment+=RandomCrop", "--data.augment.padding", "1",
]  # fmt: skip
COMMON = [
    sys.executable, str(HOUSE / "cli.py"), "fit", "--model", "MLP", "--model.hidden_sizes", "[24]", "--data", "Digits",
    "--optimizer", "SGD", "--optimizer.lr", "0.05", "--optimizer.momentum", "0.9", "--trainer.log_every_n_steps", "3",
    "--trainer.enable_progress_bar", "false", "--trainer.accelerator", "cpu", *EVERY_POLICY,
]  # fmt: skip
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "MASTER_ADDR": "127.0.0.1"}


def rows(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open() as file:
        return [{name: value for name, value in row.items() if name != "seconds"} for row in csv.DictReader(file)]


def assert_same_run(run: Path, whole: Path) -> None:
    """metrics.csv (its seconds apart), and the state of the module and of the optimizer, to the bit."""
    mine, theirs = rows(run), rows(whole)
    steps = [int(row["step"]) for row in mine]
    assert steps == sorted(set(steps)), "a row came twice"
    assert mine == theirs
    one, other = (torch.load(path / "checkpoints" / "last.ckpt", weights_only=True) for path in (run, whole))
    assert all(torch.equal(one["state_dict"][name], other["state_dict"][name]) for name in other["state_dict"])
    states = [checkpoint["optimizer_states"][0] for checkpoint in (one, other)]
    assert states[0]["param_groups"] == states[1]["param_groups"]
    for key, state in states[1]["state"].items():
        assert torch.equal(states[0]["state"][key]["momentum_buffer"], state["momentum_buffer"])


@pytest.mark.slow
def test_killed_at_twenty_random_moments(tmp_path: Path) -> None:
    """After SIGKILL, with no handler and no clean-up, the last checkpoint is enough to go on.

    Each new process goes on until it has passed a random number of rows (or half-written ones), and is killed there.
    """
    epochs = ["--trainer.max_epochs", "150", "--checkpoint_every", "7"]
    whole, run = tmp_path / "whole", tmp_path / "run"
    first = subprocess.run([*COMMON, *epochs, "--run_dir", str(whole)], env=ENVIRONMENT, capture_output=True, text=True)
    assert first.returncode == 0, first.stderr[-2000:]
    moments = random.Random(20)
    for _ in range(20):
        started = (run / "checkpoints" / "last.ckpt").is_file()
        words = ("fit", "--resume", run) if started else (*COMMON[2:], *epochs, "--run_dir", run)
        child = begun(*words, cwd=tmp_path, limit=60)
        try:
            wait_for_progress(child, run, moments.uniform(0.01, 0.4))
        finally:
            os.kill(child.pid, signal.SIGKILL)
        done = child.done()
        assert done.status == -signal.SIGKILL, f"it ended before its kill: {done.err[-2000:]}"
        if not (run / "checkpoints" / "last.ckpt").is_file():  # killed before there was anything to go on with
            for path in sorted(run.rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()
    last = subprocess.run([*COMMON[:3], "--resume", str(run)], env=ENVIRONMENT, capture_output=True, text=True)
    assert last.returncode == 0, last.stderr[-2000:]
    assert_same_run(run, whole)


def wait_for_progress(child: Child, run: Path, seconds: float) -> None:
    """Wait until the child has written to metrics.csv, and then some seconds more."""
    metrics = run / "metrics.csv"
    before = metrics.stat().st_mtime_ns if metrics.exists() else 0
    deadline = time.monotonic() + 120
    while child.runs() and time.monotonic() < deadline:
        if metrics.exists() and metrics.stat().st_mtime_ns != before:
            time.sleep(seconds)
            return
        time.sleep(0.005)


def test_two_processes_are_one_for_fifty_steps(tmp_path: Path) -> None:
    """In float64, without batch norm: every loss of fifty steps to 1e-5 (they agree far better)."""
    options = ["--trainer.precision", "64-true", "--trainer.max_steps", "50", "--trainer.log_every_n_steps", "1"]
    for name, devices in (("one", []), ("two", ["--trainer.devices", "2", "--trainer.strategy", "ddp"])):
        command = [*COMMON, *options, *devices, "--run_dir", str(tmp_path / name)]
        done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-2000:]
    one, two = rows(tmp_path / "one"), rows(tmp_path / "two")
    assert len(one) == len(two) == 50
    assert len({row["batch_size"] for row in one}) > 3
    for mine, theirs in zip(one, two, strict=True):
        assert float(mine["train/loss"]) == pytest.approx(float(theirs["train/loss"]), abs=1e-10)
        assert (mine["lr"], mine["batch_size"], mine["samples"]) == (
            theirs["lr"],
            theirs["batch_size"],
            theirs["samples"],
        )


RANGE_TESTS = [
    "--trainer.callbacks+=LRRangeTest", "--trainer.callbacks.steps", "30", "--trainer.callbacks.seeds", "1",
    "--trainer.callbacks.at_step", "3", "--trainer.callbacks+=BatchSizeRangeTest", "--trainer.callbacks.steps", "5",
    "--trainer.callbacks.sizes", "[16,32,64]",
]  # fmt: skip


@pytest.mark.slow
def test_range_tests_leave_no_trace_on_two_processes_and_find_what_one_finds(tmp_path: Path) -> None:
    options = ["--trainer.precision", "64-true", "--trainer.max_steps", "8", "--trainer.log_every_n_steps", "1"]
    two = ["--trainer.devices", "2", "--trainer.strategy", "ddp"]
    for name, more in (("plain", two), ("two", [*two, *RANGE_TESTS]), ("one", RANGE_TESTS)):
        command = [*COMMON, *options, *more, "--run_dir", str(tmp_path / name)]
        done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-2000:]
    assert_same_run(tmp_path / "two", tmp_path / "plain")
    for table, columns in (("lr_range_test", ["loss"]), ("batch_size_range_test", ["loss_at_equal_steps"])):
        mine, theirs = (
            list(csv.DictReader((tmp_path / name / f"{table}.csv").read_text().splitlines())) for name in ("one", "two")
        )
        assert len(mine) == len(theirs) > 2
        for column in columns:
            assert [float(row[column]) for row in mine] == pytest.approx(
                [float(row[column]) for row in theirs], abs=1e-10
            )
