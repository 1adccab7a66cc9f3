"""A study's tables as CSV files: columns that a row lacks are left empty, numbers and lists are read as they were."""

import contextlib
import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

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
NO_NUMBERS = ("nan", "inf", "-inf")  # in a curve what they say; elsewhere they may be names
Content = TypeVar("Content", dict[str, Any], list[Any])


def read_table(path: Path) -> list[dict[str, Any]]:
    """Rows of a table of a study, with numbers and lists as they were; a cell without a value is left out.

    Raises:
        ValueError: the file is damaged.
    """
    found = []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.reader(file, strict=True)
            names = next(reader, [])
            for texts in reader:
                row = dict(zip(names, texts, strict=True))
                found.append({name: text if name in TEXTS else _value(text) for name, text in row.items() if text})
    except (ValueError, csv.Error) as error:
        raise damaged(path, str(error)) from error
    if found and "id" not in names:
        raise damaged(path, "it has no column id")
    return found


def read_results(folder: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]], dict[str, Any]]:
    """Rows of cells.csv and of curves.csv, and study.json, of a scale.

    study.json is taken away before the tables change, and written after them: without it each of them is whole, but
    they may be of two states, and nothing is checked.

    Raises:
        ValueError: one of them is damaged, or they do not belong together.
        OSError: one of the tables is not there.
    """
    record: dict[str, Any] = read_json(folder / RECORD, dict) if (folder / RECORD).is_file() else {}
    if not record and not (folder / CURVES).is_file():
        return read_table(folder / CELLS), [], record
    cells, points = read_table(folder / CELLS), read_table(folder / CURVES)
    for name, rows, count in ((CELLS, cells, "cells"), (CURVES, points, "points")):
        if len(rows) != (said := record.get(count, len(rows))):
            raise damaged(folder / name, f"it has {len(rows):,} rows, and {RECORD} says {said:,}")
    for row in points:
        for name in (name for name, value in row.items() if name != "id" and isinstance(value, str)):
            if row[name] not in NO_NUMBERS:
                raise damaged(folder / CURVES, f"{row[name]!r} is no number")
            row[name] = float(row[name])
    return cells, points, record


def read_json(path: Path, kind: type[Content], by: str = "cadence study run ... --anew") -> Content:
    """Content of a JSON file of a study's results.

    Args:
        path: path of the file.
        kind: `dict` or `list`.
        by: command that writes it.

    Raises:
        ValueError: the file is damaged.
    """
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise damaged(path, str(error), by) from error
    if not isinstance(content, kind):
        raise damaged(path, f"it is no {kind.__name__}", by)
    return content


def damaged(path: Path, why: str, by: str = "cadence study run ... --anew") -> ValueError:
    """What to tell of a file of a study's results whose content is not what was written.

    Args:
        path: path of the file.
        why: what is wrong with it.
        by: command that writes it.
    """
    return ValueError(f"{path} is damaged ({why}): restore it, or write it again by {by}")


def write_table(path: Path, found: Sequence[Mapping[str, Any]]) -> None:
    """Write rows whose columns may differ; a list is written as JSON, which a text that only looks like one is not.

    A column in which no row has a value is left out, so that a table that is read comes out the same when written.
    """
    names = list(dict.fromkeys(name for row in found for name, value in row.items() if value not in (None, "")))
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
