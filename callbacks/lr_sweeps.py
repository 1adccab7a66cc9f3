"""The two ways to measure loss against learning rate: one sweep through the rates, or a fresh start for each."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from callbacks.rehearsal import Rehearsal
from callbacks.suggestions import smooth

READ_EVERY = 20  # steps between two looks at the losses, each of which waits for the device

FINISHED, DIVERGED, NON_FINITE = "finished", "diverged", "non-finite"
Progress = Callable[[int], None]


@dataclass(frozen=True)
class Sweep:
    """Loss against learning rate, from one seed.

    Attributes:
        losses: raw training loss at each rate, float64 (n,) or fewer where it stopped.
        stopped: `finished`, `diverged` (the smoothed loss passed a multiple of its best) or `non-finite`.
    """

    losses: np.ndarray
    stopped: str


def rates(lower: float, upper: float, count: int, sweep: str) -> np.ndarray:
    """`count` rates from `lower` to `upper`, evenly spaced in log lr (`exponential`) or in lr (`linear`)."""
    if sweep == "linear":
        return np.linspace(lower, upper, count)
    return np.geomspace(lower, upper, count)


def swept(rehearsal: Rehearsal, lrs: np.ndarray, beta: float, diverged_at: float, progress: Progress) -> Sweep:
    """One step at each rate, one after the other (Smith 1506.01186, section 3.3).

    Args:
        rehearsal: the copy to train.
        lrs: rates, (n,).
        beta: of the smoothing that divergence is judged by.
        diverged_at: stop once the smoothed loss is this many times its best.
        progress: told of steps done.
    """
    losses: list[float] = []
    for start in range(0, len(lrs), READ_EVERY):
        part = [rehearsal.step(start + n, float(lr)) for n, lr in enumerate(lrs[start : start + READ_EVERY])]
        losses += torch.stack(part).tolist()
        progress(len(part))
        end, stopped = _stop(np.array(losses), beta, diverged_at)
        if stopped != FINISHED:
            return Sweep(np.array(losses[:end]), stopped)
    return Sweep(np.array(losses), FINISHED)


def candidates(
    start: Callable[[], Rehearsal], lrs: np.ndarray, steps: int, diverged_at: float, progress: Progress
) -> Sweep:
    """Each rate trained from the same start for `steps` steps: the mean loss of the last tenth of them.

    A rate whose loss is no longer finite is recorded as infinite, and so are those above it, unless they train.

    Args:
        start: makes a fresh copy.
        lrs: rates, (n,).
        steps: for each rate.
        diverged_at: a loss this many times the best is said to have diverged.
        progress: told of steps done.
    """
    ends = []
    for lr in lrs:
        rehearsal, losses = start(), [float("nan")]
        for first in range(0, steps, READ_EVERY):
            count = min(READ_EVERY, steps - first)
            losses += torch.stack([rehearsal.step(first + n, float(lr)) for n in range(count)]).tolist()
            progress(count)
            if not np.isfinite(losses[-count:]).all():
                losses.append(float("inf"))
                break
        ends.append(float("inf") if np.isinf(losses[-1]) else float(np.mean(losses[-max(steps // 10, 1) :])))
    found = np.array(ends)
    if not np.isfinite(found).all():
        return Sweep(found, NON_FINITE)
    return Sweep(found, DIVERGED if found[-1] > diverged_at * found.min() else FINISHED)


def _stop(losses: np.ndarray, beta: float, diverged_at: float) -> tuple[int, str]:
    """How many losses count, and why there are no more."""
    finite = np.isfinite(losses)
    end = len(losses) if finite.all() else int(np.argmin(finite))
    smoothed = smooth(losses[:end], beta)
    beyond = smoothed > diverged_at * np.minimum.accumulate(smoothed) if end else np.zeros(0, bool)
    if beyond.any():
        return int(np.argmax(beyond)) + 1, DIVERGED
    return (end, NON_FINITE) if end < len(losses) else (end, FINISHED)
