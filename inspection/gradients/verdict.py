"""Whether a gradient is right, judged by central differences at several steps."""

from typing import Literal

import numpy as np

Verdict = Literal["agrees", "wrong", "kink", "unclear"]

RELATIVE = 1e-4  # differences below this share of the gradient do not count
UNCLEAR = 1e-2  # an estimate whose uncertainty is above this share of it decides nothing


def verdict(
    numeric: np.ndarray,
    gradient: float,
    free: np.ndarray,
    ns: np.ndarray,
    rounding: float,
    bend: np.ndarray | None = None,
) -> Verdict:
    """Whether a weight's gradient is right.

    The central difference is taken at the N where it is least uncertain. Its uncertainty is the change from the N
    before, which bounds the truncation error where that falls as N^-2, plus round-off, which grows as N.

    Args:
        numeric: central differences, (n,); values that are not finite are ignored.
        gradient: autograd's gradient.
        free: whether the step of each N is free of kinks, (n,).
        ns: N of each step 1/N, (n,), ascending.
        rounding: absolute round-off of the loss.
        bend: slope ahead less slope behind, (n,), which reveals kinks that `free` misses; None skips that.
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
    if not np.isfinite(gradient):  # while the loss is finite on both sides
        return "wrong" if differentiable and not _two_slopes(bend, ns, rounding, surest) else "unclear"
    size = max(abs(gradient), abs(float(numeric[surest])))
    tolerance = RELATIVE * size + uncertainty[surest]
    error = abs(float(numeric[surest]) - gradient)
    if error <= tolerance:
        return "agrees" if uncertainty[surest] <= UNCLEAR * size else "unclear"
    between = error <= abs(bend[surest]) / 2 + tolerance  # the central difference is the mean of the two slopes
    if not differentiable or (between and _two_slopes(bend, ns, rounding, surest)):
        return "kink"
    # If differences settle on one value and, at smaller steps, reach autograd's, a kink lies between those steps.
    later = ns[surest + 1 :] * rounding < error / 10
    comes = np.abs(numeric[surest + 1 :] - gradient) < error / 10
    return "kink" if (later & comes).any() else "wrong"


def _two_slopes(bend: np.ndarray, ns: np.ndarray, rounding: float, place: int) -> bool:
    """Whether the slopes ahead and behind stay different as the step goes to 0."""
    if place == 0 or not np.isfinite(bend[place - 1 : place + 1]).all():
        return False
    (before, here), (larger, smaller) = bend[place - 1 : place + 1], 1 / ns[place - 1 : place + 1]
    # For a smooth loss their gap is proportional to the step: the line through two gaps is 0 at step 0.
    left = (here * larger - before * smaller) / (larger - smaller)
    noise = 8 * rounding * ns[place] * larger / (larger - smaller)  # two gaps, each computed from four losses
    return bool(abs(left) > abs(here) / 2 + noise)
