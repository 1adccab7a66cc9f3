"""CSV tables: what the csv module reads back, and whole files alone."""

import csv
from pathlib import Path

import pytest

from records.files import as_csv, write_csv


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
