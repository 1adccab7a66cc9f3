"""What a person sees while cells run: how far they are, from another terminal as well."""

import contextlib
import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from records.lock import exclusive
from studies import progress, worker
from studies.cells import CellDirectory
from studies.pace import Pace
from studies.progress import Progress, percent
from studies.states import RUNNING
from tests.studies.test_pace import cell, gone

Cadence = Callable[..., int]


def test_a_log_tells_now_and_then_how_far_the_cells_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = cell(1), cell(2)
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with Progress(
        3, 1, lambda one: f"seed {one.parameters['seed_everything']}", Pace([first, second], [], tmp_path, 2)
    ) as told:
        told(first, "started", 0.0)
        told(second, "started", 0.0)
        for now[0] in (30.0, 61.0, 62.0, 100.0):
            told(first, RUNNING, now[0])
        gone(tmp_path, first, "100,2.49,12800,120.0,2.2\n")
        for now[0] in (122.0, 123.0):
            told(first, RUNNING, now[0])
            told(second, RUNNING, now[0])
        told(second, "failed", 125.0)
        for now[0] in (180.0, 184.0):
            told(first, RUNNING, now[0])
    assert capsys.readouterr().err.splitlines() == [
        "1 of 3: seed 1; seed 2; an unknown time left",
        "1 of 3: seed 1 at 24 %; seed 2; about 8 minutes left",
        "2 of 3: seed 2: failed after 125 s; about 6 minutes left",
        "2 of 3: seed 1 at 24 %; about 6 minutes left",
    ]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_has_a_bar_for_each_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = cell(1)
    terminal = Terminal()
    now = [0.0]
    monkeypatch.setattr(progress.sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "120")
    with Progress(2, 0, lambda one: "the first", Pace([one], [], tmp_path, 1)) as told:
        told(one, "started", 0.0)
        gone(tmp_path, one, "100,5.0,12800,120.0,2.2\n")
        monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
        now[0] = 1e9
        told(one, RUNNING, 60.0)
        told._bars.refresh()
        shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.getvalue())
        assert re.search(r"cells, about 2 minutes left .* 0 of 2", shown)
        assert re.search(r"  the first .* 50 %", shown)
        told(one, "started", 61.0)  # another launcher had it: no second bar
        assert len(told._bars.tasks) == 2
        told(one, "finished", 61.0)
    assert "100 %" not in shown


def test_only_what_is_done_is_a_hundred_per_cent() -> None:
    assert percent(progress.Reach(0.999, 1.0)) == "99 %" and percent(progress.Reach(1.0, 1.0)) == "100 %"


def test_another_terminal_sees_what_runs(
    cadence: Cadence, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of four cells two have ended, one runs, or was stopped, half way, and one has not begun."""
    monkeypatch.chdir(tmp_path)
    assert cadence("study", "run", str(folder), "--scale", "smoke") == 0
    capsys.readouterr()
    assert cadence("study", "run", str(folder), "--dry-run") == 0
    table = re.findall(r"(finished|missing).*runs/studies/rates/(\w+)", capsys.readouterr().out)
    assert [found for found, _ in table] == ["finished", "missing", "finished", "missing"]
    directory = CellDirectory(Path("runs/studies/rates"), table[1][1])
    directory.run.mkdir()
    (directory.run / "metrics.csv").write_text("step,epoch,samples,seconds,train/loss\n5,1.0,320,1.5,2.0\n")
    for found in ("stopped", RUNNING):
        with exclusive(directory.lock, lambda: None) if found == RUNNING else contextlib.nullcontext():
            assert cadence("study", "run", str(folder), "--dry-run") == 0
        shown = capsys.readouterr().out
        assert [found for found, _ in re.findall(r"(\w+(?: at \d+ %)?) +│ (runs)", shown)] == [
            "finished", f"{found} at 50 %", "finished", "missing",
        ]  # fmt: skip
        assert "2 of 4 cells are done; less than a minute left" in shown


def test_a_look_at_a_lock_is_not_taken_for_a_holder(tmp_path: Path) -> None:
    """Found held once, it may be a look; found held twice, it is another process's."""
    waiting = worker._Elsewhere()
    waiting()
    with pytest.raises(worker._Taken):
        waiting()
