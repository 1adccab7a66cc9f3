"""What tells one cell from another on a terminal, in the study's own words."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from studies.cells import Cell
from studies.study import Study, plain

PART = "part"


def varied(cells: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of the parameters that differ between cells, in their order."""
    names = dict.fromkeys(name for cell in cells for name in cell)
    return [name for name in names if len({json.dumps(cell.get(name)) for cell in cells}) > 1]


class Naming:
    """Columns, values and labels of a study's cells.

    The name of a part stands for all that its cells have in common.

    Args:
        study: study whose `names` are shown in place of what they stand for.
        cells: all cells of a scale.
    """

    def __init__(self, study: Study, cells: Sequence[Cell]) -> None:
        self._named = study.named
        of_part: dict[str, list[Mapping[str, Any]]] = {}
        for cell in cells:
            of_part.setdefault(cell.part, []).append(cell.parameters)
        self._varied = {part: varied(parameters) for part, parameters in of_part.items()}
        within = list(dict.fromkeys(name for names in self._varied.values() for name in names))
        self._keys = [PART, *within] if len(of_part) > 1 else within

    @property
    def columns(self) -> list[str]:
        """Headings of a table of cells."""
        return [self._named(key) for key in self._keys]

    def values(self, cell: Cell) -> list[str]:
        """A cell's row of that table, empty where all cells of its part agree."""
        return [self._named(self._value(cell, key)) for key in self._keys]

    def label(self, cell: Cell) -> str:
        """The same as a line: a name alone, and a value behind its parameter; the cell's id if it is the only one."""
        words = [self._word(key, self._value(cell, key)) for key in self._keys]
        return " ".join(filter(None, words)) or cell.id

    def _value(self, cell: Cell, key: str) -> Any:
        if key == PART:
            return cell.part
        return cell.parameters.get(key, "") if key in self._varied[cell.part] else ""

    def _word(self, key: str, value: Any) -> str:
        shown, unnamed = self._named(value), plain(value)
        named = key == PART or not unnamed or shown != unnamed
        return shown if named else f"{key.rpartition('.')[2]}={unnamed.replace(' ', '')}"
