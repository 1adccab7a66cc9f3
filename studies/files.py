"""A study's tables as CSV files: columns that a row lacks are left empty, numbers and lists are read as they were."""

import contextlib
import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from records.files import write_csv, write_text

TEXTS = (
    "id",
    "part",
    "status",
    "device",
    "torch",
    "lightning",
    "python",
    "commit",
    "date",
    "error",
)  # even if they look like numbers
CELLS, CURVES, RECORD = "cells.csv", "curves.csv", "study.json"


def read_table(path: Path) -> list[dict[str, Any]]:
    """Rows of a table of a study, with numbers and lists as they were; a cell without a value is left out."""
    with path.open(newline="") as file:
        return [
            {name: text if name in TEXTS else _value(text) for name, text in row.items() if text != ""}
            for row in csv.DictReader(file)
        ]


def write_table(path: Path, found: Sequence[Mapping[str, Any]]) -> None:
    """Write rows whose columns may differ; a list is written as JSON, which a text that only looks like one is not."""
    names = list(dict.fromkeys(name for row in found for name in row))
    if found:
        write_csv(path, [{name: _written(row.get(name)) for name in names} for row in found])
    else:
        write_text(path, "")


def _written(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, list) else value


def _value(text: str) -> Any:
    if text in ("True", "False"):
        return text == "True"
    if text.startswith("["):  # a list, unless it is a text that only looks like one
        with contextlib.suppress(ValueError):
            return json.loads(text)
    with contextlib.suppress(ValueError):
        return float(text) if "." in text or "e" in text.lower() else int(text)
    return text
