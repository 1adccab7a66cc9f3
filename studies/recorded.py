"""Cells whose results stand in a study's tables, their run directories gone: pulled, or of another machine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studies.cells import Cell
from studies.files import CELLS, read_results
from studies.states import OVER
from studies.table import SEED


@dataclass(frozen=True)
class Recorded:
    """What the tables of a scale say of the cells that are over.

    Attributes:
        rows: each cell's row of cells.csv, by its id.
        curves: each cell's rows of curves.csv, with its id in front, by its id.
    """

    rows: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    curves: Mapping[str, Sequence[dict[str, Any]]] = field(default_factory=dict)

    def further(self, cells: Sequence[Cell]) -> list[str]:
        """Ids of cells that stand here and differ from one of `cells`, which stands here too, in the seed alone.

        They are results of the same study, of which somebody ran more seeds.
        """
        ids = {cell.id for cell in cells}
        names = {cell.part: [name for name in cell.parameters if name != SEED] for cell in cells}
        alike = {_values(self.rows[cell.id], names[cell.part]) for cell in cells if cell.id in self.rows}
        return [
            name
            for name, row in self.rows.items()
            if name not in ids and row.get("part") in names and _values(row, names[row["part"]]) in alike
        ]


def _values(row: Mapping[str, Any], names: Sequence[str]) -> str:
    return repr((row.get("part"), [row.get(name) for name in names]))


def read_recorded(folder: Path) -> Recorded:
    """What stands in the folder of a scale; nothing if there is none.

    A cell's id is a hash of its resolved configuration, so a row of another configuration is never taken for it.

    Args:
        folder: folder with cells.csv, curves.csv and study.json.

    Raises:
        ValueError: one of them is damaged, or they do not belong together.
        OSError: one of them is not there.
    """
    if not (folder / CELLS).is_file():
        return Recorded()
    cells, points, _ = read_results(folder)
    rows = {row["id"]: row for row in cells if row["status"] in OVER}
    curves: dict[str, list[dict[str, Any]]] = {name: [] for name in rows}
    for point in points:
        if point["id"] in curves:
            curves[point["id"]].append(point)
    return Recorded(rows, curves)


def seconds_of(row: Mapping[str, Any]) -> float:
    """Seconds of all parts of a cell's run, by its row of cells.csv."""
    return sum(float(value) for name, value in row.items() if name.startswith("seconds/"))
