"""A progress bar for fetches in a terminal."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from datamodules.sources._spec import Progress

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID


@contextlib.contextmanager
def terminal_progress() -> Iterator[Progress]:
    """Give a progress callback that draws a bar on standard error; where that is no terminal, a line per source.

    Nothing is imported or drawn before the callback is first called, so that a cached start costs and shows nothing.
    """
    bars: Bars | None = None
    tasks: dict[str, TaskID] = {}

    def progress(description: str, done: int, total: int | None) -> None:
        nonlocal bars
        if bars is None:
            bars = _start()
        if description not in tasks:
            tasks[description] = bars.add_task(description, total=total)
            if not bars.console.is_terminal:
                bars.console.print(description, markup=False, emoji=False, highlight=False, soft_wrap=True)
        for known, task in tasks.items():  # one source at a time
            bars.update(task, visible=known == description)
        bars.update(tasks[description], completed=done, total=total)

    try:
        yield progress
    finally:
        if bars is not None and not bars.disable:
            bars.stop()


def _start() -> Bars:
    from rich import progress
    from rich.console import Console

    console = Console(stderr=True)
    bars = progress.Progress(
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        progress.DownloadColumn(),
        progress.TransferSpeedColumn(),
        progress.TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    if not bars.disable:
        bars.start()
    return bars
