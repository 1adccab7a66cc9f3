"""What the rules say over several seeds, and whether they agree."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from callbacks.range_tests.lr_rules import RULES, Errors, Rule

DISAGREEMENT = 2.0  # decades between point rules, above which there is no suggestion


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


def consensus(
    lrs: np.ndarray,
    losses_per_seed: Sequence[np.ndarray],
    its_rules: Mapping[str, Rule] = RULES,
    errors_per_seed: Sequence[Errors] | None = None,
) -> Consensus:
    """The suggestion that the seeds share, or why there is none.

    Refused: a curve that is flat, so that in at least half of the seeds no slope is beyond its noise; and point rules
    that lie further apart than two decades, so that the answer would be the choice of the rule.

    Args:
        lrs: rates, (n,), positive and strictly increasing.
        losses_per_seed: for each seed its raw losses, (n,) or fewer where that seed's test stopped early.
        its_rules: RULES for sweeps, CANDIDATE_RULES for candidates; one is called `bounds`.
        errors_per_seed: for each seed the losses' standard errors, or None where they are not known.

    Raises:
        ValueError: of no seeds; of rates or losses that the rules refuse.
    """
    if not len(losses_per_seed):
        raise ValueError("losses_per_seed must hold at least one curve: run the range test with one seed or more")
    curves = list(zip(losses_per_seed, errors_per_seed or [None] * len(losses_per_seed), strict=True))
    rules = {name: _answer([rule(lrs, *curve) for curve in curves]) for name, rule in its_rules.items()}
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
