"""What learning rate does a range test suggest: rules on its curve, and what several seeds agree upon.

A rule takes the rates and their *raw* losses, looks at them in log lr (`_curves.py` says how they are smoothed and what
is cut), and answers (low, high): a point rule the same rate twice, and None where there is no fall beyond the noise.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from callbacks._curves import Curve, curve

Rule = Callable[[np.ndarray, np.ndarray], tuple[float, float] | None]

DISAGREEMENT = 2.0  # decades between point rules, above which there is no suggestion


def smooth(losses: np.ndarray, beta: float = 0.98) -> np.ndarray:
    """Running mean of the losses, (n,), with its bias corrected by its own count of steps.

    A constant loss stays constant. For the eye and for stopping alone: it lags, and so no rule reads it.

    Raises:
        ValueError: of a beta outside [0, 1).
    """
    if not 0 <= beta < 1:
        raise ValueError(f"beta must lie in [0, 1), got {beta:g}: 0.98 averages over some fifty steps")
    mean, means = 0.0, []
    for step, loss in enumerate(np.asarray(losses, np.float64), start=1):
        mean += (1 - beta) * (float(loss) - mean)
        means.append(mean / (1 - beta**step))
    return np.array(means)


def steepest(lrs: np.ndarray, losses: np.ndarray) -> tuple[float, float] | None:
    """Where the loss falls most per decade: largest -dL/dlog lr (fastai's `steep`)."""
    found = _fallen(lrs, losses)
    if found is None:
        return None
    at, falls = found
    points = [first + int(np.argmin(at.slope[first : last + 1])) for first, last in falls]
    return _point(at.x[min(points, key=lambda point: at.slope[point])])


def valley(lrs: np.ndarray, losses: np.ndarray) -> tuple[float, float] | None:
    """The middle of the middle third of the longest fall (fastai's `valley`, which counts its length in steps).

    Here the length is in decades, and the fall is a stretch of the smooth curve, not a subsequence of the losses: so
    neither the spacing of the rates nor noise before the fall moves the answer.
    """
    found = _fallen(lrs, losses)
    if found is None:
        return None
    at, falls = found
    first, last = max(falls, key=lambda fall: at.x[fall[1]] - at.x[fall[0]])
    return _point((at.x[first] + at.x[last]) / 2)


def minimum_tenth(lrs: np.ndarray, losses: np.ndarray) -> tuple[float, float] | None:
    """A tenth of the rate with the lowest loss (fastai's `minimum`); it may lie below the first rate tried."""
    found = _fallen(lrs, losses)
    return None if found is None else _point(found[0].x[found[0].minimum] - 1)


def bounds(lrs: np.ndarray, losses: np.ndarray) -> tuple[float, float] | None:
    """From where the loss starts to fall to before it turns (Smith 1506.01186, section 3.3, who judges by eye).

    The whole fall reaches from the highest level before the minimum down to it. lr_min is where the loss last was above
    nine tenths of it, lr_max where it first was within one tenth: the ends themselves are where noise decides.
    """
    found = _fallen(lrs, losses)
    if found is None:
        return None
    at = found[0]
    level = at.level[: at.minimum + 1]
    start = int(np.argmax(level))
    fallen = (level[start] - level[start:]) / (level[start] - level[-1])
    first = start + int(np.flatnonzero(fallen <= 0.1)[-1])
    last = start + int(np.flatnonzero(fallen >= 0.9)[0])
    return float(10 ** at.x[min(first, last)]), float(10 ** at.x[max(first, last)])


RULES: dict[str, Rule] = {
    "valley": valley,
    "steepest": steepest,
    "minimum_tenth": minimum_tenth,
    "bounds": bounds,
}


@dataclass(frozen=True)
class Answer:
    """One rule's answer over the seeds.

    Attributes:
        low, high: medians over the seeds (in log lr); equal for a point rule.
        spread: decades between the seeds' lowest and highest answer, the larger of the two ends'.
        seeds: how many seeds gave an answer.
    """

    low: float
    high: float
    spread: float
    seeds: int


@dataclass(frozen=True)
class Consensus:
    """What the rules say over the seeds.

    Attributes:
        lr: the median of the point rules' answers; None with a refusal.
        bounds: (lr_min, lr_max); None with a refusal.
        rules: by rule, its answer; None unless more than half of the seeds gave one.
        seeds: number of curves.
        refusal: why there is no suggestion; None where there is one.
    """

    lr: float | None
    bounds: tuple[float, float] | None
    rules: dict[str, Answer | None]
    seeds: int
    refusal: str | None


def consensus(lrs: np.ndarray, losses_per_seed: Sequence[np.ndarray]) -> Consensus:
    """The suggestion that the seeds share, or why there is none.

    Refused: a curve that is flat, so that in at least half of the seeds no slope is beyond its noise; and point rules
    that lie further apart than two decades, so that the answer would be the choice of the rule.

    Args:
        lrs: rates, (n,), positive and strictly increasing.
        losses_per_seed: for each seed its raw losses, (n,) or fewer where that seed's test stopped early.

    Raises:
        ValueError: of no seeds; of rates or losses that the rules refuse.
    """
    if not len(losses_per_seed):
        raise ValueError("losses_per_seed must hold at least one curve: run the range test with one seed or more")
    rules = {name: _answer([rule(lrs, losses) for losses in losses_per_seed]) for name, rule in RULES.items()}
    seeds, interval = len(losses_per_seed), rules["bounds"]
    points = {name: answer.low for name, answer in rules.items() if answer is not None and name != "bounds"}
    if interval is None or not points:
        return Consensus(None, None, rules, seeds, "the curve is flat: no fall of the loss stands out from its noise")
    lowest, highest = min(points, key=lambda name: points[name]), max(points, key=lambda name: points[name])
    apart = float(np.log10(points[highest] / points[lowest]))
    if apart > DISAGREEMENT:
        refusal = (
            f"the rules disagree by {apart:.1f} decades: "
            f"{lowest} says {points[lowest]:.1e}, {highest} says {points[highest]:.1e}"
        )
        return Consensus(None, None, rules, seeds, refusal)
    lr = float(10 ** np.median(np.log10(list(points.values()))))
    return Consensus(lr, (interval.low, interval.high), rules, seeds, None)


def _answer(answers: list[tuple[float, float] | None]) -> Answer | None:
    found = np.log10([answer for answer in answers if answer is not None])
    if 2 * len(found) <= len(answers):
        return None
    low, high = (10 ** np.median(found, axis=0)).tolist()
    return Answer(low, high, float(np.ptp(found, axis=0).max()), len(found))


def _fallen(lrs: np.ndarray, losses: np.ndarray) -> tuple[Curve, list[tuple[int, int]]] | None:
    """The curve and its falls, where it has any."""
    at = curve(lrs, losses)
    falls = [] if at is None else at.falls()
    return (at, falls) if at is not None and falls else None


def _point(x: float) -> tuple[float, float]:
    lr = float(10**x)
    return lr, lr
