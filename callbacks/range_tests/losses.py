"""How a range test reads the losses of a training, smoothed or at their end, and how a training can end."""

import numpy as np

FINISHED, DIVERGED, NON_FINITE = "finished", "diverged", "non-finite"
OF_A_SINGLE = 10  # losses that the noise of a single one is estimated from


def smooth(losses: np.ndarray, beta: float = 0.98) -> np.ndarray:
    """Running mean of the losses, (n,), with its bias corrected by its own count of steps.

    A constant loss stays constant. Only the figure and the stop of a sweep use it: it lags, so no rule reads it.

    Raises:
        ValueError: beta is outside [0, 1).
    """
    if not 0 <= beta < 1:
        raise ValueError(f"beta must lie in [0, 1), got {beta:g}: 0.98 averages over some fifty steps")
    mean, means = 0.0, []
    for step, loss in enumerate(np.asarray(losses, np.float64), start=1):
        mean += (1 - beta) * (float(loss) - mean)
        means.append(mean / (1 - beta**step))
    return np.array(means)


def judged(steps: int) -> int:
    """Number of steps, of so many, whose losses `last_tenth` looks at: the tenth, or what tells the noise of one."""
    return max(steps // 10, min(steps, OF_A_SINGLE))


def last_tenth(losses: list[float]) -> tuple[float, float]:
    """Mean of the last tenth of the losses, at least one of them, and its standard error over these steps.

    With one loss only, its noise is estimated from the second differences of the last ten losses; a straight trend
    adds nothing to them. The error is NaN with fewer than three losses.
    """
    last = np.array(losses[-max(len(losses) // 10, 1) :])
    if len(last) > 1:
        return float(last.mean()), float(last.std(ddof=1) / len(last) ** 0.5)
    bends = np.diff(losses[-OF_A_SINGLE:], 2)  # their variance is six times that of independent noise
    return float(last[0]), float(np.sqrt(np.mean(bends**2) / 6)) if len(bends) else float("nan")
