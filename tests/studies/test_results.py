"""A study's tables, written and read again; what is damaged is told with its file."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from studies.files import CELLS, CURVES, RECORD, read_results, read_table, write_table


@pytest.mark.parametrize(
    "value",
    [1, 0.5, 1e-05, 1e30, "a name", "[{class_path: A, init_args: {x: 1}}]", '{"class_path": "B"}', [784, 256],
     ["a", 1.5], True, False, "12 bits", "e", "3.4.5"],
)  # fmt: skip
def test_a_value_comes_back_as_it_was(tmp_path: Path, value: Any) -> None:
    write_table(tmp_path / "cells.csv", [{"id": "12e45", "value": value, "other": None}, {"id": "cd34"}])
    first, second = read_table(tmp_path / "cells.csv")
    assert first == {"id": "12e45", "value": value} and type(first["value"]) is type(value)
    assert second == {"id": "cd34"}
    before = (tmp_path / "cells.csv").read_bytes()
    write_table(tmp_path / "cells.csv", read_table(tmp_path / "cells.csv"))
    assert (tmp_path / "cells.csv").read_bytes() == before


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """Folder of a scale with two cells of two points each."""
    write_table(tmp_path / CELLS, [{"id": name, "status": "finished", "lr": 0.1} for name in ("ab", "cd")])
    write_table(tmp_path / CURVES, [{"id": name, "step": step} for name in ("ab", "cd") for step in (1, 2)])
    (tmp_path / RECORD).write_text(json.dumps({"cells": 2, "points": 4}))
    assert [len(table) for table in read_results(tmp_path)] == [2, 4, 2]
    return tmp_path


def cut(path: Path, lines: int) -> None:
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:lines]))


DAMAGES: dict[str, tuple[str, Callable[[Path], object]]] = {
    "torn in a row": (CELLS, lambda path: path.write_bytes(path.read_bytes()[:-6])),
    "torn after a row": (CELLS, lambda path: cut(path, 2)),
    "curves torn after a row": (CURVES, lambda path: cut(path, 4)),
    "no row": (CELLS, lambda path: path.write_text("garbage\n")),
    "nothing": (CELLS, lambda path: path.write_text("")),
    "no id": (CELLS, lambda path: path.write_text(path.read_text().replace("id", "di", 1))),
    "a blank line": (CURVES, lambda path: path.write_text(path.read_text() + "\n")),
    "no text": (CELLS, lambda path: path.write_bytes(b"\xff\xfe" + path.read_bytes())),
    "a null byte": (CURVES, lambda path: path.write_bytes(path.read_bytes().replace(b"1", b"\0", 1))),
    "half a record": (RECORD, lambda path: path.write_text("{")),
    "no record": (RECORD, lambda path: path.write_text("[]")),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_named(whole: Path, damage: str) -> None:
    name, harm = DAMAGES[damage]
    harm(whole / name)
    with pytest.raises(ValueError, match=f"{re.escape(str(whole / name))} is damaged .*--anew"):
        read_results(whole)


def test_tables_of_which_the_record_is_not_written_yet_are_read(whole: Path) -> None:
    """Killed between two of the files: each is whole, and the run directories have the rest."""
    (whole / RECORD).unlink()
    cut(whole / CURVES, 4)
    assert [len(table) for table in read_results(whole)] == [2, 3, 0]
    (whole / CURVES).unlink()
    assert [len(table) for table in read_results(whole)] == [2, 0, 0]
