"""Rules that suggest a learning rate from the losses of a range test, and the registries that name them.

To add a rule, write its function and give it a row in `RULES` (sweeps) or `CANDIDATE_RULES` (candidates). It looks at
the losses in log lr (`lr_curve.py` says how they are smoothed and what is cut), and answers (low, high): the same rate
twice if it answers a point, and None where the loss has no fall beyond its noise.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from callbacks.range_tests.lr_curve import Curve, curve

Errors = np.ndarray | None
Answers = tuple[float, float] | None


@dataclass(frozen=True)
class Rule:
    """A rule by name. Every rule is asked and its answer shown; the suggestion rests on those that count.

    Attributes:
        name: name in tables, files and figures.
        function: (rates, raw losses, standard errors of the losses or None) -> (low, high), or None.
        answers: `point` for one rate, `bounds` for an interval.
        counts: whether the suggestion rests on its answer: on the median of the points that count; exactly one rule
            of a registry answers the bounds that count.
        raises: whether the suggested rate lies between that median and these bounds' upper end (`lr_consensus.raised`).
    """

    name: str
    function: Callable[[np.ndarray, np.ndarray, Errors], Answers]
    answers: Literal["point", "bounds"]
    counts: bool = False
    raises: bool = False

    def __call__(self, lrs: np.ndarray, losses: np.ndarray, errors: Errors = None) -> Answers:
        """The rule's answer to one curve.

        Args:
            lrs: rates, (n,), positive and strictly increasing.
            losses: raw losses, (n,) or fewer where the test stopped early.
            errors: standard errors of the losses, of the same shape, or None where they are not known.

        Raises:
            ValueError: the rates do not increase, or the losses or errors are not one for each.
        """
        return self.function(lrs, losses, errors)


def steepest(lrs: np.ndarray, losses: np.ndarray, errors: Errors = None) -> Answers:
    """Where the loss falls most per decade: largest -dL/dlog lr (fastai's `steep`)."""
    found = _fallen(lrs, losses, errors)
    if found is None:
        return None
    at, falls = found
    points = [first + int(np.argmin(at.slope[first : last + 1])) for first, last in falls]
    return _point(at.x[min(points, key=lambda point: at.slope[point])])


def valley(lrs: np.ndarray, losses: np.ndarray, errors: Errors = None) -> Answers:
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


def minimum_tenth(lrs: np.ndarray, losses: np.ndarray, errors: Errors = None) -> Answers:
    """A tenth of the rate with the lowest loss (fastai's `minimum`); it may lie below the first rate tried."""
    found = _fallen(lrs, losses, errors)
    return None if found is None else _point(found[0].x[found[0].minimum] - 1)


def bounds(lrs: np.ndarray, losses: np.ndarray, errors: Errors = None) -> Answers:
    """From the start of the fall to just before the loss turns (Smith 1506.01186, section 3.3, who judges by eye).

    The whole fall reaches from the highest level before the minimum down to the minimum. lr_min is the last rate with
    nine tenths of the fall still to come, lr_max the first with one tenth: noise decides where the very ends lie.
    """
    found = _fallen(lrs, losses, errors)
    if found is None:
        return None
    at = found[0]
    first, share = _shares(at)
    last = int(np.flatnonzero(share >= 0.9)[0])
    return float(10 ** at.x[min(first, last)]), float(10 ** at.x[max(first, last)])


def lowest(lrs: np.ndarray, losses: np.ndarray, errors: Errors = None) -> Answers:
    """The rate with the lowest loss, for candidates: each was trained at its rate for as long as the others."""
    found = _fallen(lrs, losses, errors)
    return None if found is None else _point(found[0].x[found[0].minimum])


def trainable(lrs: np.ndarray, losses: np.ndarray, errors: Errors = None) -> Answers:
    """`bounds` for candidates: the same lr_min; lr_max is the last rate whose loss is within a tenth of the fall.

    In a sweep, a rate past the minimum is about to diverge. A candidate past the best one has trained to its end: this
    curve has a wide bottom, and `bounds` would end where that begins, at the smallest rates that have caught up.
    """
    found = _fallen(lrs, losses, errors)
    if found is None:
        return None
    at = found[0]
    first, share = _shares(at)
    risen = np.flatnonzero(share[at.minimum :] < 0.9)
    last = at.minimum + int(risen[0]) - 1 if len(risen) else len(share) - 1
    return float(10 ** at.x[first]), float(10 ** at.x[last])


RULES = (
    Rule("valley", valley, "point", counts=True),
    Rule("steepest", steepest, "point", counts=True),
    Rule("minimum_tenth", minimum_tenth, "point", counts=True),
    Rule("bounds", bounds, "bounds", counts=True, raises=True),
)
CANDIDATE_RULES = (
    Rule("lowest", lowest, "point", counts=True),
    Rule("bounds", trainable, "bounds", counts=True),
)


def _fallen(lrs: np.ndarray, losses: np.ndarray, errors: Errors) -> tuple[Curve, list[tuple[int, int]]] | None:
    """The curve and its falls; None if it has none."""
    at = curve(lrs, losses, errors)
    falls = [] if at is None else at.falls()
    return (at, falls) if at is not None and falls else None


def _shares(at: Curve) -> tuple[int, np.ndarray]:
    """Index where the fall begins, and the part of the fall that is done at each point, (m,): 1 at the minimum."""
    top = int(np.argmax(at.level[: at.minimum + 1]))
    share = (at.level[top] - at.level) / (at.level[top] - at.level[at.minimum])
    share[:top] = 0.0
    return int(np.flatnonzero(share[: at.minimum + 1] <= 0.1)[-1]), share


def _point(x: float) -> tuple[float, float]:
    lr = float(10**x)
    return lr, lr
