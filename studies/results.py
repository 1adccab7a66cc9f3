"""The tables that a study leaves behind, from which its report is made without the run directories."""

import contextlib
import csv
import json
import platform
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from records.files import write_csv, write_json, write_text
from studies.cells import Cell
from studies.collect import curves, rows
from studies.exhibits.run_figure import keep
from studies.study import Study

TEXTS = (
    "id",
    "part",
    "status",
    "device",
    "torch",
    "lightning",
    "commit",
    "date",
    "error",
)  # even if they look like numbers
CELLS, CURVES, RECORD = "cells.csv", "curves.csv", "study.json"


def write_results(study: Study, scale: str, cells: Sequence[Cell], root: Path, results: Path) -> Path:
    """Write cells.csv, curves.csv and study.json of a scale; returns their folder."""
    folder = results / study.name / scale
    folder.mkdir(parents=True, exist_ok=True)
    found = rows(cells, root)
    _table(folder / CELLS, found)
    _table(folder / CURVES, curves(cells, root))
    keep(study.exhibits, found, root, folder)
    devices = sorted({str(row["device"]) for row in found if row.get("device")})
    write_json(
        folder / RECORD,
        {
            "study": study.name,
            "scale": scale,
            "cells": len(found),
            "devices": devices,
            "python": platform.python_version(),
            "torch": sorted({str(row["torch"]) for row in found if row.get("torch")}),
            "lightning": sorted({str(row["lightning"]) for row in found if row.get("lightning")}),
            "commits": sorted({str(row["commit"]) for row in found if row.get("commit")}),
            "dates": sorted({str(row["date"]) for row in found if row.get("date")}),
            "hours": round(sum(seconds(row) for row in found) / 3600, 3),
            "command": " ".join(["cadence", *sys.argv[1:]]),
        },
    )
    return folder


def read_table(path: Path) -> list[dict[str, Any]]:
    """Rows of a table of a study, with numbers and lists as they were; a cell without a value is left out."""
    with path.open(newline="") as file:
        return [
            {name: text if name in TEXTS else _value(text) for name, text in row.items() if text != ""}
            for row in csv.DictReader(file)
        ]


def seconds(row: Mapping[str, Any]) -> float:
    """Seconds of all parts of a cell's run."""
    return sum(float(value) for name, value in row.items() if name.startswith("seconds/"))


def _table(path: Path, found: Sequence[Mapping[str, Any]]) -> None:
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
