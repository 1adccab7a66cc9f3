"""A race of a few rates after the sweeps: which of them trains best over some dozen steps from the same start."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from callbacks.range_tests.lr_sweeps import trained_at
from callbacks.range_tests.trials import Trial


@dataclass(frozen=True)
class Race:
    """Losses of the raced rates.

    Attributes:
        lrs: the rates, (k,), increasing.
        losses: loss of each step at each rate; fewer than `steps` where one was not finite.
        steps: number of steps that each of them was to make.
    """

    lrs: np.ndarray
    losses: list[np.ndarray]
    steps: int

    @cached_property
    def scores(self) -> np.ndarray:
        """Mean loss of the last quarter of the steps at each rate, (k,); infinite where one was not finite."""
        return np.array([float(last.mean()) for last in self._lasts])

    @cached_property
    def behind(self) -> np.ndarray:
        """Standard error of each score's distance from the best, (k,), paired by step: all see the same samples."""
        best = self._lasts[int(np.argmin(self.scores))]
        with np.errstate(invalid="ignore"):
            return np.array([float(np.std(last - best, ddof=1) / len(best) ** 0.5) for last in self._lasts])

    @property
    def lr(self) -> float:
        """The lowest rate whose score is within a standard error of the best."""
        with np.errstate(invalid="ignore"):
            level = self.scores - self.scores.min() <= self.behind
        level[int(np.argmin(self.scores))] = True
        return float(self.lrs[int(np.argmax(level))])

    @property
    def at_the_edge(self) -> bool:
        """Whether the highest of the rates won, so that a higher one might be better still."""
        return self.lr == self.lrs[-1]

    def record(self) -> dict[str, Any]:
        """Rates and scores in plain values; None for a score that is not finite."""
        known = [float(score) if np.isfinite(score) else None for score in self.scores]
        errors = [float(error) if np.isfinite(error) else None for error in self.behind]
        return {"lrs": self.lrs.tolist(), "losses": known, "errors": errors, "steps": self.steps, "lr": self.lr}

    @cached_property
    def _lasts(self) -> list[np.ndarray]:
        """The last quarter of the steps at each rate, of one length."""
        last = quarter(self.steps)
        whole = [one if len(one) == self.steps and np.isfinite(one).all() else None for one in self.losses]
        return [np.full(last, np.inf) if one is None else one[-last:] for one in whole]


def quarter(steps: int) -> int:
    """Number of steps at the end of so many whose losses decide."""
    return max(steps // 4, 2)


def field_of(median: float, upper: float, count: int) -> np.ndarray:
    """The rates to race, (count,): evenly in log lr from the median of the points to twice the bounds' upper end."""
    return np.geomspace(min(median, upper), 2 * upper, count)


def raced(trial: Callable[[int], Trial], lrs: np.ndarray, steps: int) -> Race:
    """Train each rate from the same start on the same samples.

    Args:
        trial: the training of the rate with this index.
        lrs: rates, (k,).
        steps: number of steps at each.
    """
    return Race(lrs, [np.array(trained_at(trial(index), lr, steps)) for index, lr in enumerate(lrs)], steps)
