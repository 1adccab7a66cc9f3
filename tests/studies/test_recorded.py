"""Cells that stand in a study's tables alone, as after a pull, are not run again."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from records.files import mapping_in, write_json
from studies import local

Cadence = Callable[..., int]
TABLES = Path("results/studies/rates/laptop")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def tables() -> dict[str, bytes]:
    return {name: (TABLES / name).read_bytes() for name in ("cells.csv", "curves.csv", "study.json")}


def test_a_recorded_cell_is_not_run_again(
    cadence: Cadence, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cadence("study", "run", str(folder)) == 0
    before = tables()
    shutil.rmtree("runs")
    started = []
    start = local.Launcher._start
    monkeypatch.setattr(local.Launcher, "_start", lambda self, cell: (started.append(cell.id), start(self, cell)))
    capsys.readouterr()
    assert cadence("study", "run", str(folder), "--dry-run") == 0
    shown = capsys.readouterr().out
    assert f"4 of 4 cells stand in {TABLES} already: to run them again, add --anew" in shown
    assert "4 of 4 cells are done" in shown
    assert cadence("study", "run", str(folder)) == 0
    assert not started and tables() == before
    # one more seed: two cells are run, the others' rows stay as they are
    assert cadence("study", "run", str(folder), "--seeds", "3") == 0
    assert len(started) == 2
    kept, known = tables()["cells.csv"].splitlines(), before["cells.csv"].splitlines()
    assert len(kept) == 7 and set(known) <= set(kept)
    # a run directory that is there decides, whatever the tables say
    (Path("runs/studies/rates") / started[0] / "result.json").unlink()
    assert cadence("study", "run", str(folder), "--seeds", "3") == 0
    assert started[2:] == started[:1]
    assert cadence("study", "run", str(folder), "--anew") == 0
    assert len(started) == 7


def test_fewer_seeds_leave_the_others_in_the_tables(
    cadence: Cadence, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Pulled with two seeds, of which one is asked for; those of a rate that the study has no longer go."""
    assert cadence("study", "run", str(folder), "--seeds", "2") == 0
    before = tables()
    for gone in (False, True):
        if gone:
            shutil.rmtree("runs")
        capsys.readouterr()
        assert cadence("study", "run", str(folder), "--seeds", "1") == 0
        shown = capsys.readouterr().out
        assert "\n2 cells of more seeds stand there too, and stay\n" in f"\n{shown}"
        assert tables() == before
    # with a third: the new ones behind
    assert cadence("study", "run", str(folder), "--seeds", "3") == 0
    assert cadence("study", "run", str(folder), "--seeds", "1") == 0
    kept = tables()["cells.csv"].splitlines()
    assert len(kept) == 7 and set(before["cells.csv"].splitlines()) <= set(kept)
    assert cadence("study", "report", str(folder), "--scale", "laptop") == 0
    assert "--seeds 3<" in (TABLES / "report.html").read_text()
    # a cell that never ended leaves, and it is still that command which brought the others
    stopped = kept[-1].replace(b"finished", b"stopped").replace(kept[-1][:4], b"ffff", 1)
    (TABLES / "cells.csv").write_bytes(b"\n".join([*kept, stopped, b""]))
    record = mapping_in(TABLES / "study.json") | {"command": "cadence study run rates --seeds 3 --workers 7"}
    write_json(TABLES / "study.json", record | {"cells": 7})
    assert cadence("study", "run", str(folder), "--seeds", "1") == 0
    assert tables()["cells.csv"].splitlines() == kept
    assert mapping_in(TABLES / "study.json") == record
    # another study by the same name has none of it
    sweep = folder / "sweep.yaml"
    sweep.write_text(sweep.read_text().replace("- 0.003", "- 0.004").replace("- 0.01", "- 0.02"))
    capsys.readouterr()
    assert cadence("study", "run", str(folder), "--seeds", "1") == 0
    assert "6 cells that stand there are none of this study now, and leave the tables" in capsys.readouterr().out
    assert len(tables()["cells.csv"].splitlines()) == 3


def test_damaged_tables_are_not_written_over(
    cadence: Cadence, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cadence("study", "run", str(folder), "--scale", "smoke") == 0
    there = TABLES.parent / "smoke" / "cells.csv"
    there.write_bytes(torn := there.read_bytes()[:-40])
    for command in (("run", str(folder), "--scale", "smoke"), ("report", str(folder))):
        assert cadence("study", *command) == 2
        assert f"{there} is damaged" in capsys.readouterr().err and there.read_bytes() == torn
    assert cadence("study", "run", str(folder), "--scale", "smoke", "--anew") == 0
    assert len(there.read_text().splitlines()) == 3


def test_a_row_of_another_configuration_is_not_taken_for_it(cadence: Cadence, folder: Path) -> None:
    assert cadence("study", "run", str(folder), "--scale", "smoke") == 0
    there = TABLES.parent / "smoke" / "cells.csv"
    text = there.read_text()
    there.write_text(text.replace(text.splitlines()[1].split(",")[0], "0" * 12))
    shutil.rmtree("runs")
    assert cadence("study", "run", str(folder), "--scale", "smoke") == 0
    assert sum("runs" in str(path) for path in Path("runs/studies/rates").glob("*/result.json")) == 1
    assert len(there.read_text().splitlines()) == 3
