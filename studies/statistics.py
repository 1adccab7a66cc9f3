"""Mean, spread and interval over seeds; differences are paired by seed."""

import math
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Sample:
    """What a few seeds say about one number.

    Attributes:
        n: number of values.
        mean: their mean, NaN where there are none.
        deviation: their standard deviation (of a sample: n - 1), None where n < 2.
        interval: ends of the 95 % interval of the mean by Student's t, None where n < 3.
    """

    n: int
    mean: float
    deviation: float | None
    interval: tuple[float, float] | None


def sample(values: Iterable[float]) -> Sample:
    """Describe the values of several seeds; those that are not finite must be left out before.

    Two values give a standard deviation but no interval: with one degree of freedom it is thirteen deviations wide.

    Raises:
        ValueError: a value is not finite.
    """
    given = np.asarray(list(values), dtype=float)
    if not np.isfinite(given).all():
        raise ValueError("a sample must be of finite numbers: leave the cells that diverged out, and count them")
    n = len(given)
    if n == 0:
        return Sample(0, math.nan, None, None)
    mean = float(given.mean())
    spread = float(given.std(ddof=1)) if given.min() < given.max() else 0.0  # the mean of equal numbers is rounded
    deviation = spread if n > 1 else None
    if deviation is None or n < 3:
        return Sample(n, mean, deviation, None)
    from scipy.special import stdtrit  # a third of the import of scipy.stats, and the same quantile

    half = float(stdtrit(n - 1, 0.975)) * deviation / math.sqrt(n)
    return Sample(n, mean, deviation, (mean - half, mean + half))


def paired(a: Mapping[Hashable, float], b: Mapping[Hashable, float]) -> Sample:
    """Describe a - b over the seeds that both have.

    What a seed does to both (the initial weights, the order of samples) leaves the difference, so that its interval is
    narrower than that of two independent samples.

    Args:
        a: value of each seed.
        b: value of each seed.
    """
    return sample(a[seed] - b[seed] for seed in a if seed in b)


def chance(differences: Sample) -> float | None:
    """Two-sided p of Student's t-test that the mean of paired differences is 0; None for fewer than 3 of them."""
    if differences.deviation is None or differences.n < 3:
        return None
    if differences.deviation == 0:
        return 1.0 if differences.mean == 0 else 0.0
    from scipy.special import stdtr

    t = differences.mean / differences.deviation * math.sqrt(differences.n)
    return 2 * float(stdtr(differences.n - 1, -abs(t)))
