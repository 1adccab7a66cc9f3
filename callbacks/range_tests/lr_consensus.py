"""What the rules say over several seeds, and whether they agree."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from callbacks.range_tests.lr_curve import BANDWIDTH, Errors, curve
from callbacks.range_tests.lr_rules import RULES, Answers, Rule
from callbacks.range_tests.lr_views import WIDER, Measured, View, narrowest, views

DISAGREEMENT = 2.0  # decades between the points that count, above which there is no suggestion
# From 17 problems, and judged on 9 others: 100, 200 and 600 steps from 1e-7 to 10 then agree (its card in docs/).
DENSITY = 25.0  # steps a decade at which nothing is corrected: 200 steps over eight decades
CORRECTION = 0.6  # power of the density that the place of the fall follows
LEAST_FALL = 0.01  # part of the loss, where it is taken of the same images throughout: then no noise tells what is flat


@dataclass(frozen=True)
class Answer:
    """One rule's answer over the seeds.

    Attributes:
        point: whether the rule answers a point.
        low, high: medians over the seeds (in log lr); equal for a point.
        spread: decades between the seeds' lowest and highest answer, the larger of the two ends'.
        seeds: number of curves that gave an answer: of seeds, or of means over them.
    """

    point: bool
    low: float
    high: float
    spread: float
    seeds: int


@dataclass(frozen=True)
class Consensus:
    """What the rules say over the seeds.

    Attributes:
        lr: the suggested rate: `raised` from the median, or the median itself; None with a refusal.
        median: the median of the points that count; None with a refusal.
        bounds: (lr_min, lr_max) of the bounds rule that counts; None with a refusal.
        rules: each rule's answer, by its name; None unless more than half of the seeds gave one.
        seeds: number of curves.
        refusal: the reason why there is no suggestion; None where there is one.
        pooled: whether the rules were asked about means of the curves, since the curves by themselves look flat.
        bandwidth: decades over which the curves had to be smoothed until they showed a fall.
    """

    lr: float | None
    median: float | None
    bounds: tuple[float, float] | None
    rules: dict[str, Answer | None]
    seeds: int
    refusal: str | None
    pooled: bool = False
    bandwidth: float = BANDWIDTH


def consensus(
    lrs: np.ndarray,
    losses_per_seed: Sequence[np.ndarray],
    asked: Sequence[Rule] = RULES,
    errors_per_seed: Sequence[Errors] | None = None,
    same_images: bool = False,
) -> Consensus:
    """The suggestion that the seeds share, or why there is none. Rules that do not count are asked, and change nothing.

    Where at least half of the seeds answer nothing, the rules are asked about means of the curves, each of which leaves
    one seed out, and their answers count if all of these means give them. Noise that hides a fall in each curve
    averages out so, and a fall that only one seed has is missing from the mean that leaves it out. Where these do not
    answer either, seeds and means are looked at again over more decades (`lr_views.WIDER`), which brings out a slow
    fall in the noise of small batches; if it is certain there, the rules are asked about the mean of all. This is for
    sweeps only, whose noise is estimated.

    Refused: a curve that is flat, so that no slope is beyond its noise, in the seeds or in such means (or, where all
    losses are of the same images and so hide it, the loss falls by less than 1 %); and points that lie further apart
    than two decades, so that the answer would be the choice of the rule.

    Args:
        lrs: rates, (n,), positive and strictly increasing.
        losses_per_seed: raw losses of each seed, (n,) or fewer where that seed's test stopped early.
        asked: the rules, `RULES` for sweeps and `CANDIDATE_RULES` for candidates.
        errors_per_seed: standard errors of each seed's losses, or None where they are not known.
        same_images: whether all losses of a seed are of the same images.

    Raises:
        ValueError: no seeds; rates or losses that the rules refuse; not exactly one bounds rule that counts.
    """
    if not len(losses_per_seed):
        raise ValueError("losses_per_seed must hold at least one curve: run the range test with one seed or more")
    bounding = [rule for rule in asked if rule.answers == "bounds" and rule.counts]
    if len(bounding) != 1:
        names = [rule.name for rule in bounding] or "none"
        raise ValueError(f"one bounds rule must count, got {names}: set counts for one, and for no other")
    curves: list[Measured] = list(zip(losses_per_seed, errors_per_seed or [None] * len(losses_per_seed), strict=True))
    seeds = len(curves)
    estimated = not same_images and all(errors is None for _, errors in curves)
    first: dict[str, Answer | None] | None = None
    for view in views(curves, WIDER if estimated else ()):
        bandwidth, rules = view.bandwidth, _answers(asked, lrs, view, same_images)
        first = first or rules
        if bandwidth > BANDWIDTH and rules[bounding[0].name] is not None:
            view = narrowest(lrs, curves, bandwidth) or view
            rules = _answers(asked, lrs, view, same_images)
        interval, points = rules[bounding[0].name], _points(asked, rules)
        if interval is not None and points:
            break
    else:
        flat = f"the curve is flat: {_why_flat(lrs, curves, same_images)}"
        return Consensus(None, None, None, first or {}, seeds, flat)
    lowest, highest = min(points, key=lambda name: points[name]), max(points, key=lambda name: points[name])
    apart = float(np.log10(points[highest] / points[lowest]))
    if apart > DISAGREEMENT:
        refusal = (
            f"the rules disagree by {apart:.1f} decades: "
            f"{lowest} says {points[lowest]:.1e}, {highest} says {points[highest]:.1e}"
        )
        return Consensus(None, None, None, rules, seeds, refusal, view.pooled, bandwidth)
    lr = median = float(10 ** np.median(np.log10(list(points.values()))))
    if bounding[0].raises:
        used = lrs[min(max(len(losses) for losses, _ in view.curves), len(lrs)) - 1]
        lr = min(raised(median, interval.high, density_at(lrs, median)), float(used))
    return Consensus(lr, median, (interval.low, interval.high), rules, seeds, None, view.pooled, bandwidth)


def raised(median: float, upper: float, density: float) -> float:
    """The rate that a sweep suggests: the geometric mean of the median of its points and of the bounds' upper end.

    Each point rule lies low by itself: it looks for where the loss falls fastest, and what trains best lies near where
    it has all but fallen. Loss is lopsided, so that the mean of both loses least. A sweep of more steps a decade moves
    further at each rate, so that its whole fall comes early: that is what the density corrects.

    Args:
        median: median of the points that count.
        upper: upper end of the bounds.
        density: rates a decade, around the median.
    """
    return float(np.sqrt(median * upper) * (density / DENSITY) ** CORRECTION)


def density_at(lrs: np.ndarray, lr: float) -> float:
    """Rates a decade around a rate; at the ends of the rates for one that lies outside them."""
    x = np.log10(lrs)
    return float(1 / np.interp(np.log10(lr), (x[1:] + x[:-1]) / 2, np.diff(x)))


def _why_flat(lrs: np.ndarray, curves: Sequence[Measured], same_images: bool) -> str:
    if same_images and min(_fall(lrs, *one) for one in curves) < LEAST_FALL:
        return f"the loss falls by less than {LEAST_FALL:.0%}"
    return "no fall of the loss stands out from its noise, which more seeds or larger batches lessen"


def _fall(lrs: np.ndarray, losses: np.ndarray, errors: Errors) -> float:
    """The part of its highest level before the minimum that the loss falls by; 0 where there is no curve."""
    at = curve(lrs, losses, errors)
    if at is None:
        return 0.0
    top = float(at.level[: at.minimum + 1].max())
    return (top - float(at.level[at.minimum])) / max(abs(top), 1e-300)


def _answers(asked: Sequence[Rule], lrs: np.ndarray, view: View, same_images: bool) -> dict[str, Answer | None]:
    """Each rule's answer over the curves, by its name; None unless enough of them gave one."""
    fallen = [one for one in view.curves if not same_images or _fall(lrs, *one) >= LEAST_FALL]
    seen = [curve(lrs, *one, view.bandwidth, view.certain) for one in fallen]
    return {rule.name: _answer(rule, [rule.of(at) for at in seen], view.least) for rule in asked}


def _points(asked: Sequence[Rule], rules: dict[str, Answer | None]) -> dict[str, float]:
    """The points that count, by their rule's name."""
    counted = [rule.name for rule in asked if rule.answers == "point" and rule.counts]
    return {name: answer.low for name in counted if (answer := rules[name]) is not None}


def _answer(rule: Rule, answers: list[Answers], least: int) -> Answer | None:
    found = np.log10([answer for answer in answers if answer is not None])
    if len(found) < least:
        return None
    low, high = (10 ** np.median(found, axis=0)).tolist()
    return Answer(rule.answers == "point", low, high, float(np.ptp(found, axis=0).max()), len(found))
