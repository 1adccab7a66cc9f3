"""A progress bar for work outside the training loop, and the interval at which bars are drawn."""

import math
import sys
import time
from types import TracebackType
from typing import TextIO

import pytorch_lightning as pl
from tqdm.auto import tqdm


def seconds_between(stream: TextIO) -> float:
    """Interval between two drawings of a bar: half a second on a terminal, a minute in a file, where each stays."""
    return 0.5 if stream.isatty() else 60.0


class Counter:
    """Steps of a work, as a bar on a terminal and in plain lines in a file; on rank 0, if the run draws progress bars.

    Args:
        name: name of the work, shown before the bar.
        total: number of steps to do.
        trainer: trainer of the run.
        done: number of steps already done by an earlier process, left out of the speed.
    """

    def __init__(self, name: str, total: int, trainer: pl.Trainer, done: int = 0) -> None:
        self._shown = trainer.is_global_zero and trainer.progress_bar_callback is not None
        self._in_lines = self._shown and not sys.stderr.isatty()
        pace = seconds_between(sys.stderr)
        self._bar = tqdm(
            total=total, initial=done, desc=name, unit="step", leave=False, mininterval=pace,
            disable=not self._shown or self._in_lines,
        )  # fmt: skip
        self._name, self._total, self._done, self._pace, self._told = name, total, done, pace, -math.inf

    def __enter__(self) -> "Counter":
        self(0)
        return self

    def __call__(self, steps: int) -> None:
        """Add steps to those done."""
        self._bar.update(steps)
        self._done += steps
        if self._in_lines and (now := time.monotonic()) - self._told > self._pace:
            self._told = now
            print(f"{self._name}: {self._done:,} of {self._total:,} steps", file=sys.stderr, flush=True)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.close()
