"""Results that are committed stay those of the cells that a study plans now."""

from pathlib import Path

import pytest

from commands.configuration.resolved import resolved
from studies.cells import Cell
from studies.files import CELLS, read_table
from studies.reading import read_study
from studies.study import shipped

RESULTS = Path(__file__).parents[2] / "results" / "studies"


def tables() -> list[Path]:
    return [path for path in sorted(RESULTS.glob(f"*/*/{CELLS}")) if path.stat().st_size]


@pytest.mark.parametrize("table", tables(), ids=lambda path: "-".join(path.parts[-3:-1]))
def test_the_ids_of_committed_cells_are_those_of_the_plan(table: Path) -> None:
    """The first cell of each part stands for all: a new option in its resolved configuration would change every id."""
    study = read_study(shipped()[table.parents[1].name])
    recorded = {row["id"] for row in read_table(table)}
    first = {cell.part: cell for cell in reversed(study.cells(table.parent.name))}
    for cell in first.values():
        configuration = resolved(cell.arguments[0], list(cell.arguments[1:]))
        assert Cell(cell.part, cell.parameters, cell.arguments, configuration).id in recorded
    assert first
