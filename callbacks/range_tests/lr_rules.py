"""What learning rate does a range test suggest: rules on its curve.

A rule takes the rates, their *raw* losses, and the losses' standard errors where those are known; it looks at them in
log lr (`_curves.py` says how they are smoothed and what is cut), and answers (low, high): a point rule the same rate
twice, and None where there is no fall beyond the noise.
"""

from collections.abc import Callable

import numpy as np

from callbacks.range_tests.lr_curve import Curve, curve

Errors = np.ndarray | None
Rule = Callable[[np.ndarray, np.ndarray, Errors], tuple[float, float] | None]


def steepest(lrs: np.ndarray, losses: np.ndarray, errors: Errors = None) -> tuple[float, float] | None:
    """Where the loss falls most per decade: largest -dL/dlog lr (fastai's `steep`)."""
    found = _fallen(lrs, losses, errors)
    if found is None:
        return None
    at, falls = found
    points = [first + int(np.argmin(at.slope[first : last + 1])) for first, last in falls]
    return _point(at.x[min(points, key=lambda point: at.slope[point])])


def valley(lrs: np.ndarray, losses: np.ndarray, errors: Errors = None) -> tuple[float, float] | None:
    """The middle of the middle third of the longest fall (fastai's `valley`, which counts its length in steps).

    Here the length is in decades, and the fall is a stretch of the smooth curve, not a subsequence of the losses: so
    neither the spacing of the rates nor noise before the fall moves the answer.
    """
    found = _fallen(lrs, losses, errors)
    if found is None:
        return None
    at, falls = found
    first, last = max(falls, key=lambda fall: at.x[fall[1]] - at.x[fall[0]])
    return _point((at.x[first] + at.x[last]) / 2)


def minimum_tenth(lrs: np.ndarray, losses: np.ndarray, errors: Errors = None) -> tuple[float, float] | None:
    """A tenth of the rate with the lowest loss (fastai's `minimum`); it may lie below the first rate tried."""
    found = _fallen(lrs, losses, errors)
    return None if found is None else _point(found[0].x[found[0].minimum] - 1)


def bounds(lrs: np.ndarray, losses: np.ndarray, errors: Errors = None) -> tuple[float, float] | None:
    """From where the loss starts to fall to before it turns (Smith 1506.01186, section 3.3, who judges by eye).

    The whole fall reaches from the highest level before the minimum down to it. lr_min is where the loss last was above
    nine tenths of it, lr_max where it first was within one tenth: the ends themselves are where noise decides.
    """
    found = _fallen(lrs, losses, errors)
    if found is None:
        return None
    at = found[0]
    first, share = _shares(at)
    last = int(np.flatnonzero(share >= 0.9)[0])
    return float(10 ** at.x[min(first, last)]), float(10 ** at.x[max(first, last)])


def lowest(lrs: np.ndarray, losses: np.ndarray, errors: Errors = None) -> tuple[float, float] | None:
    """The rate with the lowest loss: of candidates, each of which was trained at its rate for as long as the others."""
    found = _fallen(lrs, losses, errors)
    return None if found is None else _point(found[0].x[found[0].minimum])


def trainable(lrs: np.ndarray, losses: np.ndarray, errors: Errors = None) -> tuple[float, float] | None:
    """`bounds` for candidates: lr_min likewise, lr_max the last rate at which the loss is within a tenth of the fall.

    In a sweep a rate past the minimum is about to diverge. A candidate beyond the best one has trained to its end: the
    bottom of this curve is wide, and what `bounds` calls its end is where the smallest rates have caught up.
    """
    found = _fallen(lrs, losses, errors)
    if found is None:
        return None
    at = found[0]
    first, share = _shares(at)
    risen = np.flatnonzero(share[at.minimum :] < 0.9)
    last = at.minimum + int(risen[0]) - 1 if len(risen) else len(share) - 1
    return float(10 ** at.x[first]), float(10 ** at.x[last])


RULES: dict[str, Rule] = {
    "valley": valley,
    "steepest": steepest,
    "minimum_tenth": minimum_tenth,
    "bounds": bounds,
}
CANDIDATE_RULES: dict[str, Rule] = {"lowest": lowest, "bounds": trainable}


def _fallen(lrs: np.ndarray, losses: np.ndarray, errors: Errors) -> tuple[Curve, list[tuple[int, int]]] | None:
    """The curve and its falls, where it has any."""
    at = curve(lrs, losses, errors)
    falls = [] if at is None else at.falls()
    return (at, falls) if at is not None and falls else None


def _shares(at: Curve) -> tuple[int, np.ndarray]:
    """Where the loss starts to fall, and how much of the whole fall it has done everywhere, (m,): 1 at the minimum."""
    top = int(np.argmax(at.level[: at.minimum + 1]))
    share = (at.level[top] - at.level) / (at.level[top] - at.level[at.minimum])
    share[:top] = 0.0
    return int(np.flatnonzero(share[: at.minimum + 1] <= 0.1)[-1]), share


def _point(x: float) -> tuple[float, float]:
    lr = float(10**x)
    return lr, lr
