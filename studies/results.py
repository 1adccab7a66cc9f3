"""The tables that a study leaves behind, from which its report is made without the run directories."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from records.files import write_json
from studies.cells import Cell
from studies.collect import curves, rows
from studies.exhibits.run_figure import keep
from studies.files import CELLS, CURVES, RECORD, write_table
from studies.recorded import Recorded
from studies.study import Study


def write_results(
    study: Study, scale: str, cells: Sequence[Cell], root: Path, results: Path, recorded: Recorded
) -> Path:
    """Write cells.csv, curves.csv and study.json of a scale; returns their folder.

    Args:
        study: the study.
        scale: name of the scale.
        cells: cells of the scale.
        root: folder of their run directories.
        results: folder of all studies' results.
        recorded: results of cells that have no run directory there.
    """
    folder = results / study.name / scale
    folder.mkdir(parents=True, exist_ok=True)
    found = rows(cells, root, recorded)
    write_table(folder / CELLS, found)
    write_table(folder / CURVES, curves(cells, root, recorded))
    keep(study.exhibits, found, root, folder)
    write_json(
        folder / RECORD,
        {
            "study": study.name,
            "scale": scale,
            "cells": len(found),
            "devices": _all(found, "device"),
            "python": _all(found, "python"),
            "torch": _all(found, "torch"),
            "lightning": _all(found, "lightning"),
            "commits": _all(found, "commit"),
            "dates": _all(found, "date"),
            "hours": round(sum(seconds(row) for row in found) / 3600, 3),
            "command": " ".join(["cadence", *sys.argv[1:]]),
        },
    )
    return folder


def _all(rows: Sequence[Mapping[str, Any]], column: str) -> list[str]:
    return sorted({str(row[column]) for row in rows if row.get(column)})


def seconds(row: Mapping[str, Any]) -> float:
    """Seconds of all parts of a cell's run."""
    return sum(float(value) for name, value in row.items() if name.startswith("seconds/"))
