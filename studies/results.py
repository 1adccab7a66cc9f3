"""The tables that a study leaves behind, from which its report is made without the run directories."""

import datetime
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from records.environment import commit, versions
from records.files import mapping_in, write_json
from studies.cells import Cell
from studies.collect import curves, rows
from studies.exhibits.kept import keep
from studies.files import CELLS, CURVES, RECORD, write_table
from studies.recorded import Recorded, seconds_of
from studies.states import OVER
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
        recorded: results of cells that have no run directory there. Those of more seeds stay in the tables.
    """
    folder = results / study.name / scale
    folder.mkdir(parents=True, exist_ok=True)
    found, points = rows(cells, root, recorded), curves(cells, root, recorded)
    if further := recorded.further(cells):
        found += [dict(recorded.rows[name]) for name in further]
        points += [point for name in further for point in recorded.curves[name]]
        place = {name: at for at, name in enumerate(recorded.rows)}  # in the order in which they stood, new ones behind
        for table in (found, points):
            table.sort(key=lambda row: place.get(row["id"], len(place)))
    keep(study.exhibits, found, root, folder)
    command = mapping_in(folder / RECORD).get("command")
    (folder / RECORD).unlink(missing_ok=True)
    write_table(folder / CELLS, found)
    write_table(folder / CURVES, points)
    if command is None or any(row["status"] in OVER and row["id"] not in recorded.rows for row in found):
        command = " ".join(["cadence", *sys.argv[1:]])  # else it is still the earlier one that brought the results
    write_json(
        folder / RECORD,
        {
            "study": study.name,
            "scale": scale,
            "cells": len(found),
            "points": len(points),
            **(_provenance(found) if study.runs else _this_process()),
            "hours": round(sum(seconds_of(row) for row in found) / 3600, 3),
            "command": command,
        },
    )
    return folder


def _provenance(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """On what, with what and when the cells were run."""
    columns = {
        "devices": "device", "python": "python", "torch": "torch", "lightning": "lightning", "commits": "commit",
        "dates": "date",
    }  # fmt: skip
    return {name: sorted({str(row[column]) for row in rows if row.get(column)}) for name, column in columns.items()}


def _this_process() -> dict[str, list[str]]:
    """The same of what has no cells and is computed here."""
    here, today = versions(), datetime.datetime.now(datetime.UTC).date().isoformat()
    known = {"python": here["python"], "torch": here["torch"], "lightning": here["pytorch-lightning"]}
    return {
        "devices": [],
        **{name: [value] for name, value in known.items()},
        "commits": [str(commit())],
        "dates": [today],
    }
