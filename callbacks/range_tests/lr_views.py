"""What the rules of a learning-rate range test are asked about: each seed's curve, or means where these look flat."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from callbacks.range_tests.lr_curve import BANDWIDTH, CERTAIN, FALLING, Errors, curve

WIDER = (0.35, 0.5, 0.7)  # decades; much wider, a rise past the minimum hides the fall
MORE_CERTAIN = 4.5  # standard errors at these: each width is one more chance for noise to look like a fall
BEST = 0.999  # part of the most standard errors of a slope, so that the stretch around it counts and no lesser one

Measured = tuple[np.ndarray, Errors]  # a seed's losses and their standard errors


@dataclass(frozen=True)
class View:
    """Curves, how the rules look at them, and how many of them have to answer.

    Attributes:
        curves: losses of each curve with their errors.
        least: number of curves that a rule has to answer for.
        pooled: whether the curves are means over the seeds.
        bandwidth: decades over which they are smoothed.
        certain: number of standard errors beyond which a slope is no chance.
    """

    curves: Sequence[Measured]
    least: int
    pooled: bool = False
    bandwidth: float = BANDWIDTH
    certain: float = CERTAIN


def views(curves: Sequence[Measured], wider: Sequence[float] = WIDER) -> Iterator[View]:
    """What the rules are asked about until they answer: at each width the seeds, then means that leave one out each.

    Args:
        curves: losses of each seed with their errors.
        wider: widths that are tried after the usual one, in decades.
    """
    seeds = len(curves)
    means = [mean([*curves[:out], *curves[out + 1 :]]) for out in range(seeds)] if seeds > 2 else []
    for bandwidth in (BANDWIDTH, *wider):
        certain = CERTAIN if bandwidth == BANDWIDTH else MORE_CERTAIN
        yield View(curves, seeds // 2 + 1, False, bandwidth, certain)
        if means:
            yield View(means, seeds, True, bandwidth, certain)


def narrowest(lrs: np.ndarray, curves: Sequence[Measured], bandwidth: float) -> View | None:
    """The mean over the seeds at the least width at which it falls, for a fall that only `bandwidth` has made certain.

    That there is a fall is known then; but a wide curve blurs the rise behind it, and shows it up to half a decade too
    low. So it is looked for in a narrow one, where the stretch with the most certain slope counts, however certain.

    Args:
        lrs: rates, (n,), positive and strictly increasing.
        curves: losses of each seed with their errors.
        bandwidth: width at which the fall is certain, in decades.

    Returns:
        The mean by itself; None if it falls at no width up to `bandwidth`.
    """
    losses, errors = mean(curves)
    for width in (one for one in (BANDWIDTH, *WIDER) if one <= bandwidth):
        at = curve(lrs, losses, errors, width, FALLING)
        if at is not None and at.falls():
            best = float((-at.slope / at.error)[: at.minimum + 1].max())
            return View([(losses, errors)], 1, len(curves) > 1, width, min(CERTAIN, BEST * best))
    return None


def mean(curves: Sequence[Measured]) -> Measured:
    """The curves' mean, as far as the shortest goes, and its standard errors."""
    shortest = min(len(losses) for losses, _ in curves)
    errors = [error[:shortest] for _, error in curves if error is not None]
    losses = np.mean([losses[:shortest] for losses, _ in curves], axis=0)
    return losses, np.sqrt(np.sum(np.square(errors), axis=0)) / len(curves) if len(errors) == len(curves) else None
