"""A progress bar for work outside the training loop, and the interval at which bars are drawn."""

import sys
from types import TracebackType
from typing import TextIO

import pytorch_lightning as pl
from tqdm.auto import tqdm


def seconds_between(stream: TextIO) -> float:
    """Interval between two drawings of a bar: half a second on a terminal, a minute in a file, where each stays."""
    return 0.5 if stream.isatty() else 60.0


class Counter:
    """Progress bar of steps, drawn on rank 0 if the run draws progress bars.

    Args:
        name: name of the work, shown before the bar.
        total: number of steps to do.
        trainer: trainer of the run.
        done: number of steps already done by an earlier process, left out of the speed.
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
        """Add steps to those done."""
        self._bar.update(steps)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.close()
