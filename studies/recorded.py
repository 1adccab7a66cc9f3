"""Cells whose results stand in a study's tables, their run directories gone: pulled, or of another machine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studies.files import CELLS, CURVES, read_table
from studies.states import OVER


@dataclass(frozen=True)
class Recorded:
    """What the tables of a scale say of the cells that are over.

    Attributes:
        rows: each cell's row of cells.csv, by its id.
        curves: each cell's rows of curves.csv, with its id in front, by its id.
    """

    rows: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    curves: Mapping[str, Sequence[dict[str, Any]]] = field(default_factory=dict)


def read_recorded(folder: Path) -> Recorded:
    """What stands in the folder of a scale; nothing if there is none.

    A cell's id is a hash of its resolved configuration, so a row of another configuration is never taken for it.

    Args:
        folder: folder with cells.csv and curves.csv.
    """
    if not (folder / CELLS).is_file():
        return Recorded()
    rows = {row["id"]: row for row in read_table(folder / CELLS) if row["status"] in OVER}
    curves: dict[str, list[dict[str, Any]]] = {name: [] for name in rows}
    for point in read_table(folder / CURVES) if (folder / CURVES).is_file() else []:
        if point["id"] in curves:
            curves[point["id"]].append(point)
    return Recorded(rows, curves)


def seconds_of(row: Mapping[str, Any]) -> float:
    """Seconds of all parts of a cell's run, by its row of cells.csv."""
    return sum(float(value) for name, value in row.items() if name.startswith("seconds/"))
