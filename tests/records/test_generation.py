"""An older copy of a run ends before it writes, whatever the file is; a later one waits for it."""

import subprocess
import sys
from pathlib import Path

import pytest

from records.files import write_text
from records.generation import FILE, TakenOver, claimed, goes_on, last_start
from records.metrics_csv import MetricsCSV
from records.run_directory import RunDirectory

HOUSE = Path(__file__).resolve().parents[2]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch):
    def be(job: str, restart: int = 0) -> None:
        for name, value in (("SLURM_JOB_ID", job), ("SLURM_RESTART_COUNT", str(restart) if restart else "")):
            monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name, raising=False)

    return be


def other(root: Path, start, job: str, restart: int = 0) -> None:
    """Another process claims the directory, and ends."""
    start(job, restart)
    code = f"import pathlib, records.generation as g\nwith g.claimed(pathlib.Path({str(root)!r})): pass"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=HOUSE)


def test_it_says_which_start_has_it(tmp_path: Path, start) -> None:
    start("17", 2)
    with claimed(tmp_path):
        found = last_start(tmp_path)
    assert found is not None and (found.job, found.restart) == ("17", 2)
    assert str(found).startswith("start 2 of job 17, process ")


def test_an_older_copy_writes_nothing(tmp_path: Path, start) -> None:
    start("17")
    metrics = MetricsCSV(tmp_path / "metrics.csv", lambda step: (0.0, step), lambda: 0.0)
    (tmp_path / "checkpoints").mkdir()
    files = [tmp_path / "result.json", tmp_path / "checkpoints" / "last.ckpt"]
    with claimed(tmp_path):
        metrics.log_metrics({"train/loss": 1.0}, 1)
        for file in files:
            write_text(file, "first")
        other(tmp_path, start, "17", 1)
        before = metrics.path.read_bytes()
        told = rf"{tmp_path}: start 1 of job 17, process \d+ on \S+ has it, so this older copy of the run ends"
        for file in files:
            with pytest.raises(TakenOver, match=told):
                write_text(file, "second")
        with pytest.raises(TakenOver, match=told):
            metrics.log_metrics({"train/loss": 2.0}, 2)
        write_text(tmp_path.parent / "elsewhere", "not in the run directory")
    assert metrics.path.read_bytes() == before and all(file.read_text() == "first" for file in files)
    assert sorted(path.name for path in tmp_path.iterdir()) == [FILE, "checkpoints", "metrics.csv", "result.json"]


def test_a_copy_that_comes_late_does_not_begin(tmp_path: Path, start) -> None:
    other(tmp_path, start, "17", 1)
    start("17")
    with pytest.raises(TakenOver, match="start 1 of job 17"), RunDirectory(tmp_path).held():
        raise AssertionError("it has begun")


def test_a_directory_that_was_removed_is_not_written_anew(tmp_path: Path, start) -> None:
    start("17")
    with claimed(tmp_path):
        (tmp_path / FILE).unlink()
        with pytest.raises(TakenOver, match="it was removed"):
            write_text(tmp_path / "result.json", "")


def test_outside_of_jobs_there_is_no_such_file(tmp_path: Path, start) -> None:
    start("")
    with RunDirectory(tmp_path / "run").held(new=True):
        assert not (tmp_path / "run" / FILE).exists()
    assert not (tmp_path / "run").exists()


def test_a_resume_outside_of_jobs_takes_over_from_one(tmp_path: Path, start) -> None:
    start("17")
    with claimed(tmp_path):
        other(tmp_path, start, "")
        with pytest.raises(TakenOver, match=r"run_dir \S+: process \d+ on \S+ has it"):
            write_text(tmp_path / "result.json", "")


def test_who_goes_on(tmp_path: Path, start) -> None:
    other(tmp_path, start, "17", 1)
    for job, restart, expected in (
        ("17", 2, True),
        ("17", 1, False),
        ("17", 0, False),
        ("18", 2, False),
        ("", 2, False),
    ):
        start(job, restart)
        assert goes_on(tmp_path) == expected, (job, restart)
    assert not goes_on(tmp_path / "nowhere")


def test_an_empty_directory_of_a_job_is_removed_again(tmp_path: Path, start) -> None:
    start("17")
    with RunDirectory(tmp_path / "a" / "run").held(new=True):
        pass
    assert not (tmp_path / "a").exists()


def test_a_later_start_waits_for_the_older_copy(tmp_path: Path, start, capfd) -> None:
    code = (
        "import pathlib, time, records.files as files, records.run_directory as runs\n"
        f"root = pathlib.Path({str(tmp_path)!r})\n"
        "with runs.RunDirectory(root).held():\n"
        "    print(flush=True)\n"
        "    while True:\n"
        "        time.sleep(0.1)\n"
        "        files.write_text(root / 'result.json', 'older')\n"
    )
    start("17")
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=HOUSE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdout.readline()
        older = last_start(tmp_path)
        start("17", 1)
        assert RunDirectory(tmp_path).take_over()
        errors = process.communicate(timeout=60)[1]
    assert "TakenOver: run_dir" in errors and "start 1 of job 17" in errors
    told = f"cadence: {tmp_path}: {older} is at work there: waiting until it has ended"
    assert capfd.readouterr().err.splitlines() == [told]
