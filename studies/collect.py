"""From run directories to a study's two tables: a row a cell, and the curves of all cells."""

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from records.files import mapping_in
from records.metrics_rows import read_rows
from records.run_directory import RunDirectory
from studies.cells import Cell, CellDirectory
from studies.recorded import Recorded
from studies.states import MISSING, result, state

POINTS = 200  # points of a cell's curve between two of its epochs' ends that are worth keeping, at most
BEST = "best/val/accuracy"


def rows(cells: Sequence[Cell], root: Path, recorded: Recorded) -> list[dict[str, Any]]:
    """A row a cell: id, status, parameters, then what its record says; columns that a cell lacks are left out."""
    found = []
    for cell in cells:
        directory = CellDirectory(root, cell.id)
        if cell.id in recorded.rows and state(directory) == MISSING:
            found.append(dict(recorded.rows[cell.id]))
            continue
        row: dict[str, Any] = {"id": cell.id, "status": state(directory), "part": cell.part, **cell.parameters}
        answer = result(directory)
        if answer is not None:
            row |= flat(answer) | {"date": _date(directory)}
            row |= best(curve(directory))
        if directory.failure.is_file():
            row["error"] = mapping_in(directory.failure).get("error", f"{directory.failure} cannot be read")
        found.append(row)
    return found


def curves(cells: Sequence[Cell], root: Path, recorded: Recorded) -> list[dict[str, Any]]:
    """Rows of every cell's metrics.csv, with its id before them, thinned."""
    found: list[dict[str, Any]] = []
    for cell in cells:
        directory = CellDirectory(root, cell.id)
        if cell.id in recorded.rows and state(directory) == MISSING:
            found += recorded.curves[cell.id]
            continue
        kept = thinned(curve(directory), POINTS)
        found += [{"id": cell.id, **row} for row in kept]
    return found


def flat(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers and names of a result.json, or of a range test's answer, under one level of names."""
    row = {name: value for name, value in answer.get("metrics", {}).items() if value is not None}
    row |= {name: answer[name] for name in ("steps", "parameters", "refusal", "lr") if name in answer}
    row |= {"diverged": answer["diverged"]["step"]} if answer.get("diverged") else {}
    row |= {f"diverged/{part}": value for part, value in (answer.get("diverged") or {}).items()}
    row |= {f"seconds/{part}": value for part, value in answer.get("seconds", {}).items()}
    if "bounds" in answer:
        row |= dict(zip(("lower", "upper"), answer["bounds"] or (None, None), strict=True))
    device = answer.get("device")
    row |= {"device": device["name"] if isinstance(device, dict) else device}
    versions = answer.get("versions", {})
    return row | {
        "python": versions.get("python"),
        "torch": versions.get("torch"),
        "lightning": versions.get("pytorch-lightning"),
        "commit": answer.get("commit"),
    }


def curve(directory: CellDirectory) -> list[dict[str, float]]:
    """Numbers of each row of a cell's metrics.csv; a row has the columns in which it has a value.

    Raises:
        ValueError: the file is damaged.
    """
    path = RunDirectory(directory.run).metrics
    if not path.is_file():
        return []
    try:
        return [{name: float(value) for name, value in row.items() if value} for row in read_rows(path)[1]]
    except (TypeError, ValueError) as error:
        remedy = f"restore it, or remove {directory.run}, and the cell is run again"
        raise ValueError(f"{path} is damaged ({error}): {remedy}") from error


def best(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Highest validation accuracy, and the epoch and the step at which it was reached first."""
    validated = [row for row in rows if "val/accuracy" in row]
    if not validated:
        return {}
    top = max(validated, key=lambda row: row["val/accuracy"])
    return {BEST: top["val/accuracy"], "best/epoch": top["epoch"], "best/step": top["step"]}


def thinned(rows: Sequence[dict[str, float]], points: int) -> list[dict[str, float]]:
    """All rows with a validation or an epoch's mean, and at most `points` of the others, evenly spaced."""
    ends = {place for place, row in enumerate(rows) if any(name.startswith(("val/", "train/epoch_")) for name in row)}
    others = [place for place in range(len(rows)) if place not in ends]
    stride = max(1, -(-len(others) // points))
    kept = ends | set(others[::stride])
    return [row for place, row in enumerate(rows) if place in kept]


def _date(directory: CellDirectory) -> str:
    files = [RunDirectory(directory.run).result, *directory.run.glob("*_range_test.json")]
    newest = max(path.stat().st_mtime for path in files if path.is_file())
    return datetime.datetime.fromtimestamp(newest, datetime.UTC).date().isoformat()
