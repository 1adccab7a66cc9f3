"""A study's tables, written and read again."""

from pathlib import Path
from typing import Any

import pytest

from studies.files import read_table, write_table


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
