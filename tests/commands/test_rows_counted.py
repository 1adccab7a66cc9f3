"""A resume tells which rows of metrics.csv are missing that precede its checkpoint, and goes on only when told to."""

import csv
import json
import os
import shutil
from pathlib import Path

import pytest

from records.checkpoint_io import AtomicCheckpointIO

RUN = [
    "fit", "--model", "MLP", "--model.hidden_sizes", "[8]", "--data", "Digits", "--optimizer", "SGD", "--optimizer.lr",
    "0.1", "--trainer.log_every_n_steps", "4", "--trainer.enable_progress_bar", "false", "--trainer.max_epochs", "1",
]  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with rows at steps 4, 8, 12 and 16."""
    from cli import main

    run = tmp_path_factory.mktemp("rows") / "run"
    assert main([*RUN, "--run_dir", str(run)]) == 0
    return run


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    return shutil.copytree(finished, tmp_path / "run")


def steps(run: Path) -> list[int]:
    with (run / "metrics.csv").open() as file:
        return [int(row["step"]) for row in csv.DictReader(file)]


def torn(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.read_bytes().index(b"\n12,") + 6])


def edited(file: Path) -> None:
    file.write_text(file.read_text().replace("\n8,0.5", "\n8,0.6"))


def doubled_column(file: Path) -> None:
    lines = file.read_text().splitlines()
    file.write_text("".join(f"{line},{line.rpartition(',')[2]}\n" for line in lines))


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (torn, "the rows after step 8 to step 16 are not all there: 2 of 4 rows"),
        (lambda file: file.write_bytes(b""), "the rows from the first step to step 16 are not all there: 0 of 4 rows"),
        (lambda file: file.write_bytes(bytes(200)), "from the first step to step 16 are not all there: 0 of 4 rows"),
        (lambda file: file.unlink(), "the rows from the first step to step 16 are not all there: 0 of 4 rows"),
        (doubled_column, "from the first step to step 16 are not all there: 0 of 4 rows"),
        (edited, "the rows after step 4 to step 16 are not as they were written"),
    ],
)
def test_refused_then_put_back(cadence, finished: Path, run: Path, damage, told: str, capsys) -> None:
    file = run / "metrics.csv"
    damage(file)
    left = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    for more in ([], ["--trainer.max_epochs", "2"]):  # a finished run too
        assert cadence("fit", "--resume", run, *more) == 2
        lines = capsys.readouterr().err.splitlines()
        assert told in lines[0] and str(file) in lines[0] and len(lines) == 2
        assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == left
    shutil.copy(finished / "metrics.csv", file)
    assert cadence("fit", "--resume", run, "--trainer.max_epochs", "2") == 0
    assert steps(run) == [4, 8, 12, 16, 20, 24, 28, 32]
    assert "metrics_lost" not in json.loads((run / "result.json").read_text())


def test_going_on_without_is_on_record_for_good(cadence, run: Path) -> None:
    torn(run / "metrics.csv")
    assert cadence("fit", "--resume", run, "--trainer.max_epochs", "2", "--without_rows") == 0
    assert steps(run) == [4, 8, 20, 24, 28, 32]
    lost = ["went on at step 16 where the rows after step 8 to step 16 are not all there: 2 of 4 rows"]
    assert json.loads((run / "result.json").read_text())["metrics_lost"] == lost
    assert cadence("fit", "--resume", run, "--trainer.max_epochs", "3") == 0  # they are known to be missing
    assert json.loads((run / "result.json").read_text())["metrics_lost"] == lost


def test_a_new_run_has_no_rows_to_miss(cadence, capsys) -> None:
    assert cadence(*RUN, "--without_rows") == 2
    assert "--without_rows goes with --resume" in capsys.readouterr().err


def test_rows_reach_the_disk_before_the_checkpoint_that_counts_them(cadence, monkeypatch) -> None:
    events: list[tuple[str, int]] = []
    fsync, save = os.fsync, AtomicCheckpointIO.save_checkpoint

    def syncing(descriptor: int) -> None:
        name = Path(f"/proc/self/fd/{descriptor}").readlink().name
        if name == "metrics.csv":
            events.append(("synced", len(steps(Path("run")))))
        fsync(descriptor)

    def saving(self: AtomicCheckpointIO, checkpoint: dict, path: str, storage_options: object = None) -> None:
        marks = checkpoint["metrics_csv"]["rows"]
        events.append((Path(path).name, len(marks["closed"]) // 16 + bool(marks["last"])))
        save(self, checkpoint, path)

    monkeypatch.setattr(os, "fsync", syncing)
    monkeypatch.setattr(AtomicCheckpointIO, "save_checkpoint", saving)
    assert cadence(*RUN, "--checkpoint_every", "7", "--run_dir", "run") == 0
    saved = [place for place, (what, _) in enumerate(events) if what.endswith(".ckpt")]
    assert [events[place][1] for place in saved if events[place][0] == "last.ckpt"] == [1, 3, 4]
    assert all(events[place - 1] == ("synced", events[place][1]) for place in saved)
