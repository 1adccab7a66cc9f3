"""The tables that a study leaves behind, from which its report is made without the run directories."""

import contextlib
import csv
import io
import json
import platform
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from records.files import write_json, written_whole
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
    names = list(dict.fromkeys(name for row in found for name in row))
    with written_whole(path) as file:
        file.write(_text(names, found).encode())


def _text(names: Sequence[str], found: Sequence[Mapping[str, Any]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, names, restval="", lineterminator="\n")
    writer.writeheader()
    lists = [{name: json.dumps(value) for name, value in row.items() if isinstance(value, list)} for row in found]
    writer.writerows([{**row, **written} for row, written in zip(found, lists, strict=True)])
    return out.getvalue()


def _value(text: str) -> Any:
    if text in ("True", "False"):
        return text == "True"
    if text.startswith("["):  # a list, unless it is a text that only looks like one
        with contextlib.suppress(ValueError):
            return json.loads(text)
    with contextlib.suppress(ValueError):
        return float(text) if "." in text or "e" in text.lower() else int(text)
    return text
