"""How far cells have come, and the time that the others will take: from what has been measured."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from records.metrics_rows import last_row
from records.run_directory import RunDirectory
from studies.cells import Cell, CellDirectory
from studies.states import result
from studies.table import SEED

_SOON = 0.01  # share of a cell's training below which its speed says little


@dataclass(frozen=True)
class Reach:
    """How far a run has come.

    Attributes:
        share: part of its training that is done, from 0 to 1.
        seconds: time that this part took.
    """

    share: float
    seconds: float


def reach(directory: CellDirectory, cell: Cell) -> Reach | None:
    """How far a cell has come by the last row of its metrics.csv; None without one, or without an end to train to.

    A run that ends early is further than this says.
    """
    row = last_row(RunDirectory(directory.run).metrics)
    if row is None or not cell.ends:
        return None
    try:
        share = max(float(row[name]) / end for name, end in cell.ends.items())
        return Reach(min(share, 1.0), float(row["seconds"]))
    except (KeyError, TypeError, ValueError):  # a damaged file, of which the run itself will tell
        return None


def spent(directory: CellDirectory) -> float | None:
    """Seconds of a run that came to its end, however often it was stopped; None of one that did not, or diverged."""
    answer = result(directory)
    return None if answer is None or answer.get("diverged") else sum(answer.get("seconds", {}).values()) or None


class Pace:
    """Time that is left of a study's cells.

    What a cell will take follows from those that differ from it in the seed alone, else from those of its part, else
    from all: from their seconds a step, or an epoch, where these are known.

    Args:
        waiting: cells that are not over.
        measured: cells that came to their end, with their seconds.
        root: folder of the cells' run directories.
        workers: number of cells at a time.
    """

    def __init__(
        self, waiting: Sequence[Cell], measured: Sequence[tuple[Cell, float]], root: Path, workers: int
    ) -> None:
        self.root, self.workers = root, workers
        self._waiting = {cell.id: cell for cell in waiting}
        self._measured = list(measured)

    def over(self, cell: Cell) -> None:
        """Note that a cell needs no more time, and what it took if it came to its end."""
        self._waiting.pop(cell.id, None)
        if (seconds := spent(CellDirectory(self.root, cell.id))) is not None:
            self._measured.append((cell, seconds))

    def reach(self, cell: Cell) -> Reach | None:
        """How far a cell has come."""
        return reach(CellDirectory(self.root, cell.id), cell)

    def seconds_left(self) -> float | None:
        """Seconds until the last cell ends, if they run in this order; None while nothing is measured."""
        reached = {name: self.reach(cell) for name, cell in self._waiting.items()}
        known = list(self._measured)
        for name, cell in self._waiting.items():
            if (found := reached[name]) is not None and found.share > _SOON:
                known.append((cell, found.seconds / found.share))
        if not known:
            return None if self._waiting else 0.0
        expected = _Expectation(known)
        free = [0.0] * self.workers
        for name, cell in self._waiting.items():
            found = reached[name]
            rest = 1.0 if found is None else 1.0 - found.share
            heapq.heapreplace(free, free[0] + rest * expected(cell))
        return max(free)


class _Expectation:
    """Seconds that a cell is expected to take.

    Args:
        known: cells with their seconds, at least one.
    """

    def __init__(self, known: Sequence[tuple[Cell, float]]) -> None:
        self._rates: dict[Any, list[float]] = {}
        for cell, seconds in known:
            for key in _alike(cell):
                self._rates.setdefault(key, []).append(seconds / _length(cell)[1])
        self._mean = fmean(seconds for _, seconds in known)

    def __call__(self, cell: Cell) -> float:
        for key in _alike(cell):
            if key in self._rates:
                return fmean(self._rates[key]) * _length(cell)[1]
        return self._mean


def _length(cell: Cell) -> tuple[str, int]:
    """What a cell's training is counted in, and how much of it there is; one run where no end is given."""
    return next(iter(cell.ends.items()), ("run", 1))


def _alike(cell: Cell) -> list[Any]:
    """What cells of about the same speed have in common, closest first."""
    unit, _ = _length(cell)
    others = repr(sorted((name, repr(value)) for name, value in cell.parameters.items() if name != SEED))
    return [(unit, cell.part, others), (unit, cell.part), (unit,)]
