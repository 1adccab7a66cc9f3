"""Two ways to measure loss against learning rate: one sweep through the rates, or a fresh start for each."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from callbacks.range_tests.losses import DIVERGED, FINISHED, NON_FINITE, last_tenth, smooth
from callbacks.range_tests.trials import READ_EVERY, Trial


@dataclass(frozen=True)
class Sweep:
    """Loss against learning rate, from one seed.

    Attributes:
        losses: raw training loss at each rate, float64 (n,) or fewer where the sweep stopped.
        stopped: `finished`, `diverged` (the smoothed loss passed a multiple of its best) or `non-finite`.
        errors: standard error of each loss, (n,); None if a loss is that of a single step.
    """

    losses: np.ndarray
    stopped: str
    errors: np.ndarray | None = None


def rates(lower: float, upper: float, count: int, sweep: str) -> np.ndarray:
    """`count` rates from `lower` to `upper`, evenly spaced in log lr (`exponential`) or in lr (`linear`)."""
    if sweep == "linear":
        return np.linspace(lower, upper, count)
    return np.geomspace(lower, upper, count)


def swept(trial: Trial, lrs: np.ndarray, beta: float, diverged_at: float) -> Sweep:
    """One step at each rate, one after the other (Smith 1506.01186, section 3.3).

    Args:
        trial: the training.
        lrs: rates, (n,).
        beta: weight of the past in the running mean that divergence is judged by.
        diverged_at: stop once the smoothed loss is this many times its best.
    """
    losses = trial.found.losses
    while True:
        end, stopped = _stop(np.array(losses), beta, diverged_at)
        if stopped != FINISHED or len(losses) == len(lrs):
            return Sweep(np.array(losses[:end]), stopped)
        trial.train(min(len(losses) + READ_EVERY, len(lrs)), lrs)


def candidates(trial: Callable[[int], Trial], lrs: np.ndarray, steps: int, diverged_at: float) -> Sweep:
    """Each rate trained from the same start for `steps` steps: the mean loss of the last tenth of them.

    A rate whose loss does not stay finite is recorded as infinite; the rates above it are trained all the same. A
    loss's error is that of `last_tenth`, but no less than the median over all rates: from few steps it is uncertain.

    Args:
        trial: the training of the rate with this index.
        lrs: rates, (n,).
        steps: number of steps at each rate.
        diverged_at: multiple of the lowest loss; if the last rate's is above it, the test counts as diverged.
    """
    ends = []
    for index, lr in enumerate(lrs):
        losses = trained_at(trial(index), lr, steps)
        finite = np.isfinite(losses[-READ_EVERY:]).all()
        ends.append(last_tenth(losses) if finite else (float("inf"), float("nan")))
    means, errors = np.array(ends).T
    ended = np.isfinite(means)
    known = np.fmax(errors, np.median(errors[ended])) if np.isfinite(errors).any() else None
    if not ended.all():
        return Sweep(means, NON_FINITE, known)
    return Sweep(means, DIVERGED if means[-1] > diverged_at * means.min() else FINISHED, known)


def trained_at(training: Trial, lr: float, steps: int) -> list[float]:
    """Losses of a training at one rate, until `steps` are done or one of the last is not finite."""
    losses, at_lr = training.found.losses, np.full(steps, lr)
    while len(losses) < steps and np.isfinite(losses[-READ_EVERY:]).all():
        training.train(min(len(losses) + READ_EVERY, steps), at_lr)
    return losses


def _stop(losses: np.ndarray, beta: float, diverged_at: float) -> tuple[int, str]:
    """How many of the losses count, and the status of the sweep."""
    finite = np.isfinite(losses)
    end = len(losses) if finite.all() else int(np.argmin(finite))
    smoothed = smooth(losses[:end], beta)
    beyond = smoothed > diverged_at * np.minimum.accumulate(smoothed) if end else np.zeros(0, bool)
    if beyond.any():
        return int(np.argmax(beyond)) + 1, DIVERGED
    return (end, NON_FINITE) if end < len(losses) else (end, FINISHED)
