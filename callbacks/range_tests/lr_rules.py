"""Rules that suggest a learning rate from the losses of a range test, and the registries that name them.

To add a rule, write its function and give it a row in `RULES` (sweeps) or `CANDIDATE_RULES` (candidates). It looks at
the smooth curve of the losses in log lr (`lr_curve.py` says how they are smoothed and what is cut), which has a fall
beyond its noise, or it is not asked; and it answers (low, high): the same rate twice if it answers a point.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from callbacks.range_tests.lr_curve import Curve, Errors, curve

Answers = tuple[float, float] | None


@dataclass(frozen=True)
class Rule:
    """A rule by name. Every rule is asked and its answer shown; the suggestion rests on those that count.

    Attributes:
        name: name in tables, files and figures.
        function: (curve with a fall) -> (low, high), or None.
        answers: `point` for one rate, `bounds` for an interval.
        counts: whether the suggestion rests on its answer: on the median of the points that count; exactly one rule
            of a registry answers the bounds that count.
        raises: whether the suggested rate lies between that median and these bounds' upper end (`lr_consensus.raised`).
    """

    name: str
    function: Callable[[Curve], Answers]
    answers: Literal["point", "bounds"]
    counts: bool = False
    raises: bool = False

    def __call__(self, lrs: np.ndarray, losses: np.ndarray, errors: Errors = None) -> Answers:
        """The rule's answer to one seed's losses; None where they have no fall beyond their noise.

        Args:
            lrs: rates, (n,), positive and strictly increasing.
            losses: raw losses, (n,) or fewer where the test stopped early.
            errors: standard errors of the losses, of the same shape, or None where they are not known.

        Raises:
            ValueError: the rates do not increase, or the losses or errors are not one for each.
        """
        return self.of(curve(lrs, losses, errors))

    def of(self, at: Curve | None) -> Answers:
        """The rule's answer to a curve; None where there is none, or it has no fall beyond its noise."""
        return self.function(at) if at is not None and at.falls() else None


def steepest(at: Curve) -> tuple[float, float]:
    """Where the loss falls most per decade: largest -dL/dlog lr (fastai's `steep`)."""
    points = [first + int(np.argmin(at.slope[first : last + 1])) for first, last in at.falls()]
    return _point(at.x[min(points, key=lambda point: at.slope[point])])


def valley(at: Curve) -> tuple[float, float]:
    """The middle of the middle third of the longest fall (fastai's `valley`, which counts its length in steps).

    Here the length is in decades, and the fall is a stretch of the smooth curve, not a subsequence of the losses: so
    neither the spacing of the rates nor noise before the fall moves the answer.
    """
    first, last = max(at.falls(), key=lambda fall: at.x[fall[1]] - at.x[fall[0]])
    return _point((at.x[first] + at.x[last]) / 2)


def minimum_tenth(at: Curve) -> tuple[float, float]:
    """A tenth of the rate with the lowest loss (fastai's `minimum`); it may lie below the first rate tried."""
    return _point(at.x[at.minimum] - 1)


def bounds(at: Curve) -> tuple[float, float]:
    """From the start of the fall to just before the loss turns (Smith 1506.01186, section 3.3, who judges by eye).

    The whole fall reaches from the highest level before the minimum down to the minimum. lr_min is the last rate with
    nine tenths of the fall still to come, lr_max the first with one tenth: noise decides where the very ends lie. Noise
    may be more than a tenth of a slight fall: so lr_min is never lower than the first stretch that is certain.
    """
    first, share = _shares(at)
    last = int(np.flatnonzero(share >= 0.9)[0])
    return float(10 ** at.x[min(first, last)]), float(10 ** at.x[max(first, last)])


def lowest(at: Curve) -> tuple[float, float]:
    """The rate with the lowest loss, for candidates: each was trained at its rate for as long as the others."""
    return _point(at.x[at.minimum])


def trainable(at: Curve) -> tuple[float, float]:
    """`bounds` for candidates: the same lr_min; lr_max is the last rate whose loss is within a tenth of the fall.

    In a sweep, a rate past the minimum is about to diverge. A candidate past the best one has trained to its end: this
    curve has a wide bottom, and `bounds` would end where that begins, at the smallest rates that have caught up.
    """
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


def _shares(at: Curve) -> tuple[int, np.ndarray]:
    """Index where the fall begins, and the part of the fall that is done at each point, (m,): 1 at the minimum."""
    top = int(np.argmax(at.level[: at.minimum + 1]))
    share = (at.level[top] - at.level) / (at.level[top] - at.level[at.minimum])
    share[:top] = 0.0
    return max(int(np.flatnonzero(share[: at.minimum + 1] <= 0.1)[-1]), at.falls()[0][0]), share


def _point(x: float) -> tuple[float, float]:
    lr = float(10**x)
    return lr, lr
