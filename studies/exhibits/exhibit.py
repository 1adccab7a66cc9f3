"""What a study found, and one thing that its report shows of it."""

import csv
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studies.study import Study
from studies.tabular import Table

if TYPE_CHECKING:
    from figures import Figure


@dataclass(frozen=True)
class Found:
    """What a study found at one scale.

    Attributes:
        study: the study.
        scale: name of the scale.
        rows: rows of cells.csv.
        curves: rows of curves.csv, by the id of their cell.
        record: content of study.json.
        folder: folder of these results.
    """

    study: Study
    scale: str
    rows: Sequence[Mapping[str, Any]]
    curves: Mapping[str, Sequence[Mapping[str, float]]]
    record: Mapping[str, Any]
    folder: Path

    def name(self, value: Any) -> str:
        """How the report calls a column, or a value of one; a list may come as a tuple."""
        return self.study.named(list(value) if isinstance(value, tuple) else value)

    @functools.cached_property
    def settings(self) -> set[str]:
        """Columns that may tell cells apart: those of the table, and what any scale of the study varies."""
        planned = {name for scale in self.study.scales for cell in self.study.cells(scale) for name in cell.parameters}
        return planned | {name for row in self.rows for name in row}

    @functools.cached_property
    def measured(self) -> set[str]:
        """Columns of what was found, in either table."""
        points = (point for curve in self.curves.values() for point in curve)
        return {name for row in (*self.rows, *points) for name in row}

    def published(self, file: str) -> list[dict[str, str]]:
        """Rows of a published table, by the name of its file in the study's folder.

        Raises:
            ValueError: there is no such file.
        """
        path = self.study.folder / file
        if not path.is_file():
            raise ValueError(f"exhibits: published: {path} is not there")
        with path.open(newline="") as opened:
            return list(csv.DictReader(opened))


@dataclass(frozen=True)
class Exhibit:
    """A table, a figure or a text of a report.

    Attributes:
        title: its title.
        caption: what it shows, with n and units.
        tables: tables of it.
        figure: figure of it.
        text: text of it, in Markdown.
        picture: bytes of a PNG.
    """

    title: str
    caption: str = ""
    tables: Sequence[Table] = field(default_factory=list)
    figure: "Figure | None" = None
    text: str = ""
    picture: bytes | None = None
