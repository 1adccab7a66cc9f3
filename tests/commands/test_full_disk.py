"""A disk that is full before any write: the file is told, what was good stays, and the printed remedy goes on."""

import csv
import errno
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest
import torch

from commands.errors import report
from records.checkpoint_io import AtomicCheckpointIO
from records.metrics_csv import MetricsCSV
from tests.full_disk import Disk, mounted

HOUSE = Path(__file__).resolve().parents[2]
RUN = [
    "fit", "--model", "MLP", "--model.hidden_sizes", "[8]", "--data", "Digits", "--data.batch_size", "64",
    "--optimizer", "SGD", "--optimizer.lr", "0.1", "--trainer.max_epochs", "2", "--trainer.log_every_n_steps", "1",
    "--trainer.enable_progress_bar", "false", "--trainer.callbacks+=TimeToTarget", "--checkpoint_every", "10",
]  # fmt: skip
TESTED = ["--trainer.callbacks+=LRRangeTest", "--trainer.callbacks.steps", "40", "--trainer.callbacks.seeds", "1"]
RANGE_TEST = ["lr-range-test", *RUN[1:-3], "--range_test.steps", "40", "--range_test.seeds", "1"]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with mounted(tmp_path / "disk") as disk:
        yield disk


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Callable[[bool], Path]:
    """The run that found room for everything, without a range test or with one; made once."""
    from cli import main

    made: dict[bool, Path] = {}

    def run(tested: bool) -> Path:
        if tested not in made:
            made[tested] = tmp_path_factory.mktemp("whole") / "run"
            assert main([*RUN, *(TESTED if tested else []), "--run_dir", str(made[tested])]) == 0
        return made[tested]

    return run


def full_before(disk: Disk, name: str, nth: int, patch: pytest.MonkeyPatch) -> None:
    """Fill the disk just before a file of this name is opened to be written for the n-th time."""
    opened, left = Path.open, [nth]

    def filling(self: Path, mode: str = "r", *arguments: Any, **keywords: Any) -> IO[Any]:
        if self.name.startswith(name) and set(mode) & set("wxa+"):
            left[0] -= 1
            if left[0] == 0:
                disk.fill()
        return opened(self, mode, *arguments, **keywords)

    patch.setattr(Path, "open", filling)


def full_after_step(disk: Disk, step: int, patch: pytest.MonkeyPatch) -> None:
    """Fill the disk when the row of a step has been written."""
    logged = MetricsCSV.log_metrics

    def filling(self: MetricsCSV, metrics: dict[str, float], step: int | None = None) -> None:
        logged(self, metrics, step)
        if step == until:
            disk.fill()

    until = step
    patch.setattr(MetricsCSV, "log_metrics", filling)


def rows(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open() as file:
        return [{name: row[name] for name in row if "seconds" not in name} for row in csv.DictReader(file)]


def told(errors: str, disk: Disk, name: str) -> list[str]:
    """The remedy of a message of at most three lines that names the file: words behind `cadence`; none for the same."""
    lines = [line for line in errors.splitlines() if "LR range test" not in line]
    assert 1 <= len(lines) <= 3 and "Traceback" not in errors, errors
    assert lines[0] == f"cadence: {disk.root}/run/{name}: No space left on device" or (
        lines[0].startswith(f"cadence: {disk.root}/run/{name}: No space left on device: mend that, and run")
        and len(lines) == 1
    ), lines
    return shlex.split(lines[2])[1:] if len(lines) == 3 else []


@pytest.mark.parametrize(
    ("name", "nth"),
    [
        ("config.yaml", 1), ("environment.json", 1), ("lr_range_test.png", 1), ("metrics.csv", 1),
        ("checkpoints/best.ckpt", 1), ("checkpoints/last.ckpt", 1), ("checkpoints/last.ckpt", 3),
        ("time_to_target.json", 1), ("result.json", 1), ("result.json", 2),
    ],
)  # fmt: skip
def test_told_and_gone_on_with(
    cadence, disk: Disk, whole: Callable[[bool], Path], name: str, nth: int, monkeypatch, capsys
) -> None:
    tested = name.startswith("lr_range_test")
    run, command = disk.root / "run", [*RUN, *(TESTED if tested else []), "--run_dir", str(disk.root / "run")]
    with monkeypatch.context() as patch:
        full_before(disk, Path(name).name, nth, patch)
        assert cadence(*command) == 2
    remedy = told(capsys.readouterr().err, disk, name) or command
    assert not list(disk.root.rglob("*.part"))
    for checkpoint in run.glob("checkpoints/*.ckpt"):
        AtomicCheckpointIO().load_checkpoint(checkpoint)
    assert cadence(*remedy) == 2  # while the disk is still full
    assert "No space left on device" in capsys.readouterr().err
    disk.make_room()
    assert cadence(*remedy) == 0
    assert_same(run, whole(tested))


def test_no_room_for_a_row(cadence, disk: Disk, monkeypatch, capsys) -> None:
    """The file grows within its last page, and no further: the row that does not fit leaves no trace."""
    run, whole = disk.root / "run", disk.root / "whole"
    many = [*RUN[:-3], "--trainer.max_epochs", "1", "--data.batch_size", "8", "--checkpoint_every", "60"]
    assert cadence(*many, "--run_dir", whole) == 0
    with monkeypatch.context() as patch:
        full_after_step(disk, 61, patch)
        assert cadence(*many, "--run_dir", run) == 2
    remedy = told(capsys.readouterr().err, disk, "metrics.csv")
    assert 61 < len(rows(run)) < 120
    assert [filled(row) for row in rows(run)] == [filled(row) for row in rows(whole)[: len(rows(run))]]
    disk.make_room()
    assert cadence(*remedy) == 0
    assert_same(run, whole)


def filled(row: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in row.items() if value}


def assert_same(run: Path, whole: Path) -> None:
    assert rows(run) == rows(whole)
    assert {path.name for path in run.rglob("*")} == {path.name for path in whole.rglob("*")}
    mine, theirs = (torch.load(one / "checkpoints/last.ckpt", weights_only=True)["state_dict"] for one in (run, whole))
    assert all(torch.equal(mine[key], theirs[key]) for key in mine)


@pytest.mark.parametrize("name", ["config.yaml", "lr_range_test.png", "lr_range_test.json"])
def test_a_range_test_alone(cadence, disk: Disk, name: str, monkeypatch, capsys) -> None:
    run = disk.root / "run"
    with monkeypatch.context() as patch:
        full_before(disk, name, 1, patch)
        assert cadence(*RANGE_TEST, "--run_dir", run) == 2
    remedy = told(capsys.readouterr().err, disk, name) or [*RANGE_TEST, "--run_dir", str(run)]
    disk.make_room()
    assert cadence(*remedy) in (0, 1) and (run / "lr_range_test.json").is_file()


def test_a_test_of_a_run(cadence, disk: Disk, monkeypatch, capsys) -> None:
    run = disk.root / "run"
    assert cadence(*RUN, "--run_dir", run) == 0
    for name in ("test-config.yaml", "test.json"):
        with monkeypatch.context() as patch:
            full_before(disk, name, 1, patch)
            capsys.readouterr()
            assert cadence("test", "--run_dir", run) == 2
        assert told(capsys.readouterr().err, disk, name) == []
        disk.make_room()
    assert cadence("test", "--run_dir", run) == 0


def test_a_file_of_somebody_elses(cadence, disk: Disk, tmp_path: Path, monkeypatch, capsys) -> None:
    """A callback that writes by itself, and names no file: the run is told how to go on all the same."""

    def spoilt(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr("callbacks.time_to_target.TimeToTarget.on_fit_end", spoilt)
        assert cadence(*RUN, "--run_dir", run) == 2
    lines = capsys.readouterr().err.splitlines()[-3:]
    assert lines[0] == "cadence: a file of the run: No space left on device"
    assert cadence(*shlex.split(lines[2])[1:]) == 0


def test_a_run_on_a_disk_that_may_only_be_read(cadence, disk: Disk, capsys) -> None:
    run = disk.root / "run"
    assert cadence(*RUN, "--run_dir", run) == 0 and cadence("test", "--run_dir", run) == 0
    kept = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    disk.read_only()
    capsys.readouterr()
    assert cadence("test", "--run_dir", run) == 0
    output, errors = capsys.readouterr()
    assert errors == f"cadence: {run} is not writable: the result is not kept there\n" and "test" in output
    assert cadence("fit", "--resume", run, "--trainer.max_epochs", "3") == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) <= 3 and f"run_dir {run} cannot be written (Read-only file system)" in lines[0]
    assert cadence(*RUN, "--run_dir", disk.root / "another") == 2
    assert "another cannot be made" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == kept


@pytest.mark.slow
def test_of_two_processes_one_tells(disk: Disk) -> None:
    """The first one writes, and says what went wrong; the other one has lost it, and shows no traceback of that."""
    run = disk.root / "run"
    two = ["--trainer.devices", "2", "--trainer.strategy", "ddp", "--trainer.accelerator", "cpu"]
    command = [sys.executable, str(HOUSE / "cli.py"), *RUN[:-3], *two, "--run_dir", str(run)]
    disk.fill(leaving=10)
    environment = os.environ | {"MASTER_ADDR": "127.0.0.1"}
    done = subprocess.run(command, cwd=HOUSE, env=environment, capture_output=True, text=True, timeout=200)
    told = [line for line in done.stderr.splitlines() if line.startswith("cadence: ") and "share each" not in line]
    assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr[-3000:]
    assert sum("No space left on device" in line for line in told) == 1 and len(told) <= 2


def test_the_others_words_for_a_process_that_is_gone(capsys) -> None:
    for message in (
        "[/__w/pytorch/third_party/gloo/gloo/transport/tcp/pair.cc:561] Connection closed by peer [127.0.0.1]:34728.",
        "NCCL error in: ProcessGroupNCCL.cpp:3690, remote process exited or there was a network error",
        "[1] is setting up NCCL communicator: failed to recv, got 0 bytes. Connection was likely closed. Does the "
        "remote server have closed? Was the remote still alive? TCPStore: Broken pipe",
    ):
        assert report(RuntimeError(message)) == 1
        assert len(capsys.readouterr().err.splitlines()) == 1
    with pytest.raises(RuntimeError):
        report(RuntimeError("gloo: shapes differ"))
