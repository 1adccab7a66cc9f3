"""A run directory belongs to one process at a time, and the run's trainer says which process writes to it."""

import contextlib
import csv
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytorch_lightning.utilities.rank_zero import rank_zero_only

from records.run_directory import RunDirectory

HOUSE = Path(__file__).resolve().parents[2]
BRIEF = [
    "--model", "MLP", "--model.hidden_sizes", "[8]", "--data", "Digits", "--optimizer", "SGD", "--optimizer.lr", "0.1",
    "--trainer.max_steps", "4", "--trainer.log_every_n_steps", "2", "--trainer.enable_progress_bar", "false",
    "--trainer.accelerator", "cpu",
]  # fmt: skip
FIT = ["fit", *BRIEF, "--trainer.max_epochs", "1"]


@contextlib.contextmanager
def held_elsewhere(run: Path, forks: bool = False) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the directory, and may have a child that lives on."""
    code = (
        "import os, sys, time, pathlib\n"
        "from records.run_directory import RunDirectory\n"
        f"with RunDirectory(pathlib.Path({str(run)!r})).held():\n"
        f"    child = not {forks} or os.fork() == 0\n"
        "    if child: print(os.getpid(), flush=True)\n"
        f"    time.sleep(600) if {forks} and child else sys.stdin.read()\n"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    process = subprocess.Popen([sys.executable, "-c", code], cwd=HOUSE, **pipes)
    try:
        assert process.stdout is not None
        process.child = int(process.stdout.readline())  # type: ignore[attr-defined]
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_second_process_is_refused_and_told_of_the_first(cadence, capsys) -> None:
    run = Path("run")
    assert cadence(*FIT, "--run_dir", run) == 0
    metrics = (run / "metrics.csv").read_bytes()
    range_test = ["lr-range-test", *BRIEF, "--trainer.max_epochs", "1"]
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.is_file()}
    with held_elsewhere(run.absolute()) as other:
        for command in (
            ["fit", "--resume", run], [*FIT, "--run_dir", run], ["test", "--run_dir", run],
            [*range_test, "--run_dir", run], [*FIT, "--run_dir", "run/../run/"],
        ):  # fmt: skip
            capsys.readouterr()
            assert cadence(*command) == 2
            told = capsys.readouterr().err
            assert f"process {other.pid} on {socket.gethostname()} is at work there" in told
            assert f"`kill {other.pid}`" in told and len(told.splitlines()) == 2
        other.send_signal(signal.SIGKILL)
        other.wait()
        before[run / ".lock"] = (run / ".lock").stat().st_mtime_ns
        assert {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.is_file()} == before
        assert cadence("fit", "--resume", run) == 0  # the lock ended with its holder, whatever file it left
    assert (run / "metrics.csv").read_bytes() == metrics
    assert not (run / ".lock").exists()


def test_a_child_that_outlives_its_parent_holds_nothing(tmp_path: Path) -> None:
    with held_elsewhere(tmp_path, forks=True) as other:
        other.kill()
        other.wait()
        try:
            with RunDirectory(tmp_path).held():
                pass
        finally:
            os.kill(other.child, signal.SIGKILL)  # type: ignore[attr-defined]


def test_where_there_are_no_locks_a_line_says_so(cadence, monkeypatch, capsys) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr("fcntl.flock", no_locks)
    assert cadence(*FIT, "--run_dir", "run") == 0
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("cadence:")]
    assert told == ["cadence: run: no locks there: let no second process write to it"]
    Path("run/half.4711-0123abcd.part").write_bytes(b"perhaps another process's")
    assert cadence("fit", "--resume", "run", "--trainer.max_steps", "6") == 0
    assert Path("run/half.4711-0123abcd.part").exists()


def test_a_mistake_before_the_first_step_leaves_nothing_behind(cadence) -> None:
    assert cadence(*FIT, "--trainer.callbacks+=TimeToTarget", "--data.val_fraction", "0", "--run_dir", "a/b/run") == 2
    assert not Path("a").exists()


def test_what_a_killed_process_had_half_written_is_cleared(cadence) -> None:
    run = Path("run")
    assert cadence(*FIT, "--run_dir", run) == 0
    half = [run / "result.json.4711-0123abcd.part", run / "checkpoints" / "last.ckpt.4711-0123abcd.part"]
    users = run / "notes.part"
    with held_elsewhere(run.absolute()):
        for path in (*half, users):
            path.write_bytes(b"half")
        assert cadence("fit", "--resume", run) == 2
        assert all(path.exists() for path in half)
    assert cadence("fit", "--resume", run) == 0
    assert not any(path.exists() for path in half) and users.exists()


def test_two_runs_named_by_the_same_second(cadence, monkeypatch) -> None:
    monkeypatch.setattr(time, "strftime", lambda *_: "20260101-000000")
    assert cadence(*FIT) == 0 and cadence(*FIT) == 0
    assert len(list(Path("runs").glob("MLP-20260101-000000*/result.json"))) == 2


LEFT_OVER = [
    {"RANK": "1"}, {"LOCAL_RANK": "1"}, {"SLURM_PROCID": "1"}, {"RANK": "3", "LOCAL_RANK": "1"},
    {"JSM_NAMESPACE_RANK": "2"}, {"SLURM_PROCID": "2", "SLURM_NTASKS": "4", "SLURM_LOCALID": "2"},
    {"SLURM_PROCID": "2", "SLURM_NTASKS": "4", "SLURM_NTASKS_PER_NODE": "4", "SLURM_LOCALID": "2"},
]  # fmt: skip


@pytest.mark.parametrize("left", LEFT_OVER, ids=lambda left: "-".join(left))
def test_a_rank_left_in_the_environment_of_one_process(cadence, monkeypatch, left: dict[str, str]) -> None:
    for name, value in left.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(rank_zero_only, "rank", int(next(iter(left.values()))))  # as Lightning has it at its import
    assert cadence(*FIT, "--run_dir", "run") == 0
    with Path("run/metrics.csv").open() as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["2", "4"]
    assert all(Path("run", name).is_file() for name in ("config.yaml", "environment.json", "result.json"))


@pytest.mark.parametrize(("name", "value"), [("RANK", ""), ("LOCAL_RANK", "x"), ("SLURM_PROCID", "-1")])
def test_a_rank_that_is_no_number(cadence, monkeypatch, capsys, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    assert cadence(*FIT, "--run_dir", "run") == 2
    told = capsys.readouterr().err.splitlines()
    assert told[-1] == f"cadence: {name} is {value!r} in the environment, which is no rank of a process: unset it"


@pytest.mark.slow
def test_the_processes_of_a_launcher_are_one_run(tmp_path: Path) -> None:
    """torchrun's, and those that Lightning starts to go on: the first one holds the directory, none is refused."""
    two = ["-c", "cluster/ddp.yaml", "--trainer.devices", "2", "--trainer.max_steps", "8"]
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--no-python"]
    for command in (
        [*launcher, sys.executable, HOUSE / "cli.py", *FIT, *two, "--run_dir", "run"],
        [sys.executable, HOUSE / "cli.py", "fit", "--resume", "run", "--trainer.max_steps", "12"],
    ):
        environment, pipe = os.environ | {"MASTER_ADDR": "127.0.0.1"}, subprocess.PIPE
        process = subprocess.Popen(
            command, cwd=tmp_path, env=environment, stdout=pipe, stderr=pipe, text=True, start_new_session=True
        )
        try:
            errors = process.communicate(timeout=200)[1]
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        assert process.returncode == 0, errors[-2000:]
    with (tmp_path / "run" / "metrics.csv").open() as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["2", "4", "6", "8", "10", "12"]
