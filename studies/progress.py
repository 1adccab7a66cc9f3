"""What a person sees while cells run: bars over all cells on a terminal, a line for each change in a log."""

import math
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from studies.cells import Cell
from studies.pace import Pace, Reach
from studies.states import FAILED, OVER, RUNNING, STOPPED

_DRAWN, _WRITTEN = 2.0, 60.0  # seconds between two looks at the cells that run: on a terminal, and in a log


class Progress:
    """Count the cells that have ended, and tell how far those are that run.

    Args:
        total: number of cells of the study.
        done: number of those that were over before.
        label: name of a cell, in a line.
        pace: time that is left.
    """

    def __init__(self, total: int, done: int, label: Callable[[Cell], str], pace: Pace) -> None:
        self.total, self.done, self.label, self.pace = total, done, label, pace
        self._running: dict[str, Cell] = {}
        self._told = time.monotonic()
        self._bars: Any = None
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> "Progress":
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
            from rich.progress import Progress as Bars

            text, count = TextColumn("{task.description}", markup=False), TextColumn("{task.fields[count]}")
            self._bars = Bars(
                text, BarColumn(), count, TimeElapsedColumn(), console=Console(stderr=True), transient=True
            )
            self._tasks["all"] = self._bars.add_task(
                "cells", total=self.total, completed=self.done, count=self._count()
            )
            self._bars.start()
        return self

    def __call__(self, cell: Cell, what: str, seconds: float | None) -> None:
        """Tell of a change: 'started', 'again', or a cell's state; of one that is RUNNING, tell now and then."""
        if what == RUNNING:
            if time.monotonic() - self._told > (_WRITTEN if self._bars is None else _DRAWN):
                self._look()
            return
        if what in (*OVER, FAILED):
            self.done += 1
            self.pace.over(cell)
        if what == "started":
            self._running[cell.id] = cell
        else:
            self._running.pop(cell.id, None)
        if self._bars is not None:
            self._draw(cell, what)
        if what != "started" and (self._bars is None or what in (FAILED, "again")):
            self._line(cell, what, seconds)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._bars is not None:
            self._bars.stop()

    def _count(self) -> str:
        return f"{self.done} of {self.total}"

    def _look(self) -> None:
        """Tell how far the cells are that run."""
        self._told = time.monotonic()
        reached = {name: self.pace.reach(cell) for name, cell in self._running.items()}
        if self._bars is None:
            cells = "; ".join(self.label(cell) + behind(reached[name]) for name, cell in self._running.items())
            print(f"{self._count()}: {cells}; {left(self.pace)}", file=sys.stderr, flush=True)
            return
        for name, found in reached.items():
            if found is not None:
                self._bars.update(self._tasks[name], total=1.0, completed=found.share, count=percent(found))
        self._bars.update(self._tasks["all"], description=f"cells, {left(self.pace)}")

    def _draw(self, cell: Cell, what: str) -> None:
        if what != "started":
            self._bars.remove_task(self._tasks.pop(cell.id))
        elif cell.id not in self._tasks:  # else another launcher had it
            self._tasks[cell.id] = self._bars.add_task(f"  {self.label(cell)}", total=None, count="")
        shown = {"completed": self.done, "count": self._count(), "description": f"cells, {left(self.pace)}"}
        self._bars.update(self._tasks["all"], **shown)

    def _line(self, cell: Cell, what: str, seconds: float | None) -> None:
        self._told = time.monotonic()
        said = {"again": "was killed and is tried once more", STOPPED: "stopped"}.get(what, what)
        when = "elsewhere" if seconds is None else f"after {seconds:.0f} s"
        text = f"{self.done} of {self.total}: {self.label(cell)}: {said} {when}; {left(self.pace)}"
        if self._bars is not None:
            self._bars.console.print(text, markup=False, emoji=False, highlight=False)
        else:
            print(text, file=sys.stderr, flush=True)


def behind(found: Reach | None) -> str:
    """How far a run has come, in words to stand behind its name or its state; empty where that is unknown."""
    return "" if found is None else f" at {percent(found)}"


def percent(found: Reach) -> str:
    """Share of its training that a run has done; 100 % only of one that has done all."""
    return f"{math.floor(100 * found.share)} %"


def left(pace: Pace) -> str:
    """Time that is left, in words."""
    return f"{in_words(pace.seconds_left())} left"


def in_words(seconds: float | None) -> str:
    """So much time as people say it; 'an unknown time' for None."""
    if seconds is None:
        return "an unknown time"
    minutes = seconds / 60
    if minutes >= 120:
        return f"about {minutes / 60:.1f} hours"
    if minutes >= 1.5:
        return f"about {minutes:.0f} minutes"
    return "about a minute" if minutes >= 0.5 else "less than a minute" if minutes else "0 minutes"
