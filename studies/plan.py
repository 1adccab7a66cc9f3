"""The cells of a study at a scale, told apart by what differs, with what has become of each."""

from collections.abc import Sequence
from pathlib import Path

from studies.cells import Cell, CellDirectory, varied
from studies.local import Launcher
from studies.states import OVER, result, state
from studies.study import Study


class Plan:
    """What there is to run of a study.

    Args:
        study: the study.
        scale: name of the scale.
        seeds: number of seeds, None for the scale's own.
        root: folder of the cells' run directories.
        launcher: launcher whose server resolves the configurations.
    """

    def __init__(self, study: Study, scale: str, seeds: int | None, root: Path, launcher: Launcher) -> None:
        self.root = root
        planned = study.cells(scale, seeds)
        resolved = launcher.resolve([cell.arguments for cell in planned])
        self.cells = [
            Cell(cell.part, cell.parameters, cell.arguments, configuration)
            for cell, configuration in zip(planned, resolved, strict=True)
        ]
        self.varied = varied([cell.parameters for cell in planned])

    def states(self) -> list[str]:
        """State of each cell."""
        return [state(CellDirectory(self.root, cell.id)) for cell in self.cells]

    def minutes(self) -> float | None:
        """Minutes that a cell took in the mean, of those that are over; None before the first."""
        answers = [result(CellDirectory(self.root, cell.id)) for cell in self.cells]
        spent = [sum(answer["seconds"].values()) for answer in answers if answer and "seconds" in answer]
        return sum(spent) / len(spent) / 60 if spent else None


def waiting(states: Sequence[str]) -> int:
    """Number of cells that are not over."""
    return sum(found not in OVER for found in states)
