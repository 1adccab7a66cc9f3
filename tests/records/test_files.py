"""CSV tables: what the csv module reads back, and whole files alone."""

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest

from records.files import as_csv, write_csv, write_json


def test_reads_back(tmp_path: Path) -> None:
    rows = [{"name": 'a, "b"', "n": 1}, {"name": "", "n": 2.5}]
    write_csv(tmp_path / "new" / "table.csv", rows)
    with (tmp_path / "new" / "table.csv").open(newline="") as file:
        assert list(csv.DictReader(file)) == [{key: str(value) for key, value in row.items()} for row in rows]
    assert as_csv(rows) == 'name,n\n"a, ""b""",1\n,2.5\n'
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["table.csv"]


def test_rows_of_other_keys_leave_the_file_as_it_was(tmp_path: Path) -> None:
    write_csv(tmp_path / "table.csv", [{"n": 1}])
    with pytest.raises(ValueError, match="other"):
        write_csv(tmp_path / "table.csv", [{"n": 1}, {"n": 1, "other": 2}])
    assert (tmp_path / "table.csv").read_text() == "n\n1\n"


def test_json_has_null_for_what_is_no_number(tmp_path: Path) -> None:
    content = {"a": [1.5, math.nan, (math.inf, -math.inf)], "b": {"c": np.float64("nan"), "d": None, "e": "nan"}}
    write_json(tmp_path / "file.json", content)

    def refused(constant: str) -> None:
        raise AssertionError(constant)

    read = json.loads((tmp_path / "file.json").read_text(), parse_constant=refused)
    assert read == {"a": [1.5, None, [None, None]], "b": {"c": None, "d": None, "e": "nan"}}
