"""A progress bar in a terminal, for fetches and for images that are read."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from datamodules.sources._spec import Progress

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID


@contextlib.contextmanager
def terminal_progress(of: Literal["bytes", "images"] = "bytes") -> Iterator[Progress]:
    """Give a progress callback that draws a bar on standard error; where that is no terminal, a line per source.

    Of images, there are lines at each tenth too.

    Nothing is imported or drawn before the callback is first called, so that a cached start costs and shows nothing.
    """
    bars: Bars | None = None
    tasks: dict[str, TaskID] = {}
    tenths: dict[str, int] = {}

    def progress(description: str, done: int, total: int | None) -> None:
        nonlocal bars
        if bars is None:
            bars = _start(of)
        if description not in tasks:
            tasks[description] = bars.add_task(description, total=total)
            if not bars.console.is_terminal:
                bars.console.print(description, markup=False, emoji=False, highlight=False, soft_wrap=True)
        elif of == "images" and total and not bars.console.is_terminal and 10 * done // total > tenths[description]:
            line = f"{description}: {done:,} of {total:,}"
            bars.console.print(line, markup=False, emoji=False, highlight=False, soft_wrap=True)
        tenths[description] = 10 * done // total if total else 0
        for known, task in tasks.items():  # one source at a time
            bars.update(task, visible=known == description)
        bars.update(tasks[description], completed=done, total=total)

    try:
        yield progress
    finally:
        if bars is not None and not bars.disable:
            bars.stop()


def _start(of: str) -> Bars:
    from rich import progress
    from rich.console import Console

    console = Console(stderr=True)
    counted = (
        [progress.DownloadColumn(), progress.TransferSpeedColumn()]
        if of == "bytes"
        else [progress.MofNCompleteColumn()]
    )
    bars = progress.Progress(
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        *counted,
        progress.TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    if not bars.disable:
        bars.start()
    return bars
