"""The cells of a study at a scale, told apart by what differs, with what has become of each."""

from collections.abc import Sequence
from pathlib import Path

from studies.cells import Cell, CellDirectory
from studies.local import Launcher
from studies.naming import Naming
from studies.pace import Pace, spent
from studies.recorded import Recorded, seconds_of
from studies.states import FINISHED, MISSING, OVER, state
from studies.study import Study


class Plan:
    """What there is to run of a study.

    Args:
        study: the study.
        scale: name of the scale.
        seeds: number of seeds, None for the scale's own.
        root: folder of the cells' run directories.
        launcher: launcher whose server resolves the configurations.
        recorded: results of cells that have no run directory there.

    Raises:
        ValueError: there is a mistake in a cell's command line, or two are the same run.
    """

    def __init__(
        self, study: Study, scale: str, seeds: int | None, root: Path, launcher: Launcher, recorded: Recorded
    ) -> None:
        self.root, self.recorded = root, recorded
        planned = study.cells(scale, seeds)
        resolved = launcher.resolve([cell.arguments for cell in planned])
        self.cells = [
            Cell(cell.part, cell.parameters, cell.arguments, configuration)
            for cell, configuration in zip(planned, resolved, strict=True)
        ]
        self.naming = Naming(study, self.cells)
        named: dict[str, Cell] = {}
        for cell in self.cells:
            if (other := named.setdefault(cell.id, cell)) is not cell:
                both = f"{self.naming.label(other)} and {self.naming.label(cell)}"
                raise ValueError(f"{study.folder}: {both} are the same run: take one of them out")

    def states(self) -> list[str]:
        """State of each cell: by its run directory, else by what is recorded."""
        return [self._state(cell) for cell in self.cells]

    def waiting(self) -> list[Cell]:
        """Cells that are not over."""
        return [cell for cell in self.cells if self._state(cell) not in OVER]

    def pulled(self) -> int:
        """Number of cells that are over by what is recorded alone."""
        here = [state(CellDirectory(self.root, cell.id)) for cell in self.cells]
        return waiting(here) - waiting(self.states())

    def pace(self, workers: int) -> Pace:
        """Time that the cells take that are not over, with so many at a time."""
        measured = [(cell, seconds) for cell in self.cells if (seconds := self._seconds(cell)) is not None]
        return Pace(self.waiting(), measured, self.root, workers)

    def _seconds(self, cell: Cell) -> float | None:
        """Seconds of a cell that came to its end, here or by the tables."""
        here = CellDirectory(self.root, cell.id)
        if state(here) == MISSING and self._state(cell) == FINISHED:
            return seconds_of(self.recorded.rows[cell.id]) or None
        return spent(here)

    def _state(self, cell: Cell) -> str:
        here = state(CellDirectory(self.root, cell.id))
        known = self.recorded.rows.get(cell.id) if here == MISSING else None
        return here if known is None else str(known["status"])


def waiting(states: Sequence[str]) -> int:
    """Number of cells that are not over."""
    return sum(found not in OVER for found in states)
