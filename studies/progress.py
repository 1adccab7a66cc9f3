"""What a person sees while cells run: bars over all cells on a terminal, a line for each change in a log."""

import sys
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

from studies.cells import Cell
from studies.states import FAILED, OVER, STOPPED


class Progress:
    """Count the cells that have ended, and name those that run.

    Args:
        total: number of cells of the study.
        done: number of those that were over before.
        label: name of a cell, in a line.
        minutes: minutes that a cell takes, if some are known.
        workers: number of cells at a time.
    """

    def __init__(
        self, total: int, done: int, label: Callable[[Cell], str], minutes: float | None, workers: int
    ) -> None:
        self.total, self.done, self.label, self.workers = total, done, label, workers
        self.spent = [60 * minutes] if minutes is not None else []
        self.failed: list[tuple[Cell, str]] = []
        self._bars: Any = None
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> "Progress":
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
            from rich.progress import Progress as Bars

            text = TextColumn("{task.description}", markup=False)
            columns = (text, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
            self._bars = Bars(*columns, console=Console(stderr=True), transient=True)
            self._tasks["all"] = self._bars.add_task("cells", total=self.total, completed=self.done)
            self._bars.start()
        return self

    def __call__(self, cell: Cell, what: str, seconds: float) -> None:
        """Tell of a change: 'started', 'again', or a cell's state once its process has ended."""
        label = self.label(cell)
        if what in (*OVER, FAILED):
            self.done += 1
            self.spent.append(seconds)
        if what == FAILED:
            self.failed.append((cell, what))
        if self._bars is not None:
            self._draw(cell, label, what)
        if what != "started" and (self._bars is None or what in (FAILED, "again")):
            self._line(label, what, seconds)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._bars is not None:
            self._bars.stop()

    def _draw(self, cell: Cell, label: str, what: str) -> None:
        if what == "started":
            self._tasks[cell.id] = self._bars.add_task(f"  {label}, {cell.length}", total=None)
        else:
            self._bars.remove_task(self._tasks.pop(cell.id))
        self._bars.update(self._tasks["all"], completed=self.done, description=f"cells, {left(self)}")

    def _line(self, label: str, what: str, seconds: float) -> None:
        said = {"again": "was killed and is tried once more", STOPPED: "stopped"}.get(what, what)
        text = f"{self.done} of {self.total}: {label}: {said} after {seconds:.0f} s; {left(self)}"
        if self._bars is not None:
            self._bars.console.print(text, markup=False, emoji=False, highlight=False)
        else:
            print(text, file=sys.stderr, flush=True)


def left(progress: Progress) -> str:
    """Time that is left, from the mean of the cells that have been measured."""
    return f"{minutes_left(progress.spent, progress.total - progress.done, progress.workers)} left"


def minutes_left(spent: Sequence[float], cells: int, workers: int) -> str:
    """Time for so many more cells, in words; 'an unknown time' before the first is measured.

    Args:
        spent: seconds of each measured cell.
        cells: number of cells to run.
        workers: number of cells at a time.
    """
    if not cells:
        return "0 minutes"
    if not spent:
        return "an unknown time"
    minutes = sum(spent) / len(spent) * cells / workers / 60
    if minutes >= 120:
        return f"about {minutes / 60:.1f} hours"
    if minutes < 0.5:
        return "less than a minute"
    return "about a minute" if minutes < 1.5 else f"about {minutes:.0f} minutes"
