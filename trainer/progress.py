"""A bar for the work that a callback does outside the training loop, and how often bars are drawn."""

import sys
from types import TracebackType
from typing import TextIO

import pytorch_lightning as pl
from tqdm.auto import tqdm


def seconds_between(stream: TextIO) -> float:
    """Between two drawings of a bar: half a second on a terminal, a minute in a file, which keeps every one."""
    return 0.5 if stream.isatty() else 60.0


class Counter:
    """Steps done of steps to do, drawn on rank 0 where the run draws a progress bar.

    Args:
        name: of the work.
        total: steps to do.
        trainer: whose run it belongs to.
        done: steps done by an earlier process, in no time of this one.
    """

    def __init__(self, name: str, total: int, trainer: pl.Trainer, done: int = 0) -> None:
        shown = trainer.is_global_zero and trainer.progress_bar_callback is not None
        pace = seconds_between(sys.stderr)
        self._bar = tqdm(
            total=total, initial=done, desc=name, unit="step", leave=False, disable=not shown, mininterval=pace
        )

    def __enter__(self) -> "Counter":
        return self

    def __call__(self, steps: int) -> None:
        """So many more steps are done."""
        self._bar.update(steps)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.close()
