"""Whether a gradient is right, from central differences with one step after another."""

from typing import Literal

import numpy as np

Verdict = Literal["agrees", "wrong", "kink", "unclear"]

RELATIVE = 1e-4  # a difference below this share of the gradient is none
UNCLEAR = 1e-2  # an estimate that is no surer than this share of itself says nothing


def verdict(
    numeric: np.ndarray,
    gradient: float,
    free: np.ndarray,
    ns: np.ndarray,
    rounding: float,
    bend: np.ndarray | None = None,
) -> Verdict:
    """Whether a weight's gradient is right.

    The central difference is taken at the N where it is surest. Its uncertainty is the change from the N before, which
    bounds the truncation error where that falls as N^-2, and round-off, which grows as N.

    Args:
        numeric: central differences, (n,); those that are not finite are left out.
        gradient: autograd's.
        free: whether an N is free of kinks, (n,).
        ns: (n,), ascending.
        rounding: absolute round-off of the loss.
        bend: slope ahead less slope behind, (n,), which shows a kink that `free` does not know of; None does not look.
    """
    finite = np.isfinite(numeric)
    differentiable = (free & finite).sum() > 1
    used = free & finite if differentiable else finite
    if not used.any():
        return "unclear"
    numeric, ns = numeric[used], ns[used]
    bend = np.zeros(len(ns)) if bend is None else bend[used]
    if not numeric.any() and gradient == 0:
        return "agrees"
    uncertainty = np.abs(np.diff(numeric, prepend=np.inf)) + rounding * ns
    surest = int(uncertainty.argmin())
    if not np.isfinite(gradient):  # of a loss that is finite on both sides
        return "wrong" if differentiable and not _two_slopes(bend, ns, rounding, surest) else "unclear"
    size = max(abs(gradient), abs(float(numeric[surest])))
    tolerance = RELATIVE * size + uncertainty[surest]
    error = abs(float(numeric[surest]) - gradient)
    if error <= tolerance:
        return "agrees" if uncertainty[surest] <= UNCLEAR * size else "unclear"
    between = error <= abs(bend[surest]) / 2 + tolerance  # the central difference is the mean of the two slopes
    if not differentiable or (between and _two_slopes(bend, ns, rounding, surest)):
        return "kink"
    # Differences that settled on one value and, at smaller steps, come to autograd's have had a kink in between.
    later = ns[surest + 1 :] * rounding < error / 10
    comes = np.abs(numeric[surest + 1 :] - gradient) < error / 10
    return "kink" if (later & comes).any() else "wrong"


def _two_slopes(bend: np.ndarray, ns: np.ndarray, rounding: float, place: int) -> bool:
    """Whether the slopes ahead and behind remain apart as the step vanishes."""
    if place == 0 or not np.isfinite(bend[place - 1 : place + 1]).all():
        return False
    (before, here), (larger, smaller) = bend[place - 1 : place + 1], 1 / ns[place - 1 : place + 1]
    # Where the loss is smooth, their gap is proportional to the step: the line through two of them meets step 0 in 0.
    left = (here * larger - before * smaller) / (larger - smaller)
    noise = 8 * rounding * ns[place] * larger / (larger - smaller)  # each gap is of four losses, and there are two
    return bool(abs(left) > abs(here) / 2 + noise)
