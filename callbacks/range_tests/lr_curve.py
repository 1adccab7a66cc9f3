"""The loss of a range test as a smooth curve over log10 lr, with its slope and the slope's error."""

from dataclasses import dataclass

import numpy as np

BANDWIDTH = 0.25  # decades: half of the half decade to which an answer shall be right
OF_A_GAP = 0.4  # bandwidth in gaps between rates, if that is more: between two rates the slope is their difference
PER_DECADE = 50  # points of the grid
FALLING, CERTAIN = 2.0, 4.0  # standard errors of the slope
LEDGE = 0.1  # part of the steepest slope: with little noise every tail falls by many standard errors


Errors = np.ndarray | None


@dataclass(frozen=True)
class Curve:
    """Loss against log10 lr, evaluated on a fine grid of m points.

    Attributes:
        x: log10 lr, (m,), from the first rate to the last one used.
        level: the loss, (m,).
        slope: change of the loss per decade, (m,).
        error: standard error of `slope`, (m,).
        certain: number of standard errors beyond which a slope is no chance.
    """

    x: np.ndarray
    level: np.ndarray
    slope: np.ndarray
    error: np.ndarray
    certain: float = CERTAIN

    @property
    def minimum(self) -> int:
        """Index of the lowest level."""
        return int(np.argmin(self.level))

    def at(self, lrs: np.ndarray) -> np.ndarray:
        """The level at these rates, (n,), for a figure or a table; NaN past the last one used."""
        return np.interp(np.log10(lrs), self.x, self.level, right=np.nan)

    def falls(self) -> list[tuple[int, int]]:
        """Stretches [first, last] up to the minimum in which the loss falls: indices, in order.

        All along a stretch the slope is below zero by two standard errors and by a tenth of the steepest slope, and
        somewhere in it by `certain` ones, four: a flat curve has about twenty independent slopes, and one of them would
        pass two standard errors by chance.
        """
        end = self.minimum + 1
        slope, error = self.slope[:end], self.error[:end]
        falling = slope < np.minimum(-FALLING * error, LEDGE * slope.min())
        edges = np.flatnonzero(np.diff(falling.astype(int), prepend=0, append=0))
        stretches = [(int(first), int(stop) - 1) for first, stop in edges.reshape(-1, 2)]
        certain = slope < -self.certain * error
        return [(first, last) for first, last in stretches if certain[first : last + 1].any()]


def curve(
    lrs: np.ndarray,
    losses: np.ndarray,
    errors: Errors = None,
    bandwidth: float = BANDWIDTH,
    certain: float = CERTAIN,
) -> Curve | None:
    """Local linear regression of the loss on log10 lr, with a Gaussian kernel, a quarter of a decade wide by default.

    A running mean would lag, at beta .98 by fifty steps, which may be a decade. Everything from the first non-finite
    loss on is cut off. No loss counts as higher above the start than the lowest lies below it: a diverging end then
    counts as risen, and does not blur the fall.

    Args:
        lrs: rates, (n,), positive and strictly increasing.
        losses: raw losses, one per rate, (n,) or fewer where the test stopped early.
        errors: standard error of each loss, of the same shape. Without them one noise for all losses is estimated from
            their second differences, which is right only if the rates lie closer than the curve bends.
        bandwidth: standard deviation of the kernel, in decades.
        certain: number of standard errors beyond which a slope is no chance.

    Returns:
        The curve; None if fewer than four losses are left.

    Raises:
        ValueError: the rates are not positive and increasing, or fewer than the losses; the errors have another shape.
    """
    lrs, losses = np.asarray(lrs, np.float64), np.asarray(losses, np.float64)
    if lrs.ndim != 1 or not np.all(np.isfinite(lrs)) or np.any(lrs <= 0) or np.any(np.diff(lrs) <= 0):
        raise ValueError("lrs must be positive and strictly increasing: sort them and drop what comes twice")
    if losses.ndim != 1 or len(losses) > len(lrs):
        raise ValueError(f"losses must be one per rate, got {losses.shape} for {len(lrs)} rates: cut them to the rates")
    if errors is not None and np.shape(errors) != losses.shape:
        raise ValueError(f"errors must be one per loss, got {np.shape(errors)} for {losses.shape}: leave them out")
    broken = np.flatnonzero(~np.isfinite(losses))
    n = int(broken[0]) if len(broken) else len(losses)
    if n < 4:
        return None
    x, losses = np.log10(lrs[:n]), losses[:n]
    start = np.median(losses[: max(3, n // 10)])
    middles = np.median(np.lib.stride_tricks.sliding_window_view(losses, 3), axis=1)  # one outlier is not the lowest
    clipped = np.minimum(losses, start + max(start - middles.min(), 0.0))
    rounding = 1e-9 * max(float(np.abs(clipped).max()), 1e-300)
    noise = np.maximum(_noise(losses, clipped) if errors is None else np.asarray(errors, np.float64)[:n], rounding)
    grid = np.linspace(x[0], x[-1], max(2, round((x[-1] - x[0]) * PER_DECADE) + 1))
    gaps = np.interp(grid, (x[1:] + x[:-1]) / 2, np.diff(x))
    apart = x - grid[:, None]
    weights = np.exp(-0.5 * (apart / np.maximum(bandwidth, OF_A_GAP * gaps)[:, None]) ** 2)
    moments = weights * apart
    s0, s1, s2 = (part.sum(axis=1, keepdims=True) for part in (weights, moments, moments * apart))
    determinant = s0 * s2 - s1**2
    for_level = (weights * s2 - moments * s1) / determinant
    for_slope = (moments * s0 - weights * s1) / determinant
    error = np.sqrt(np.sum((noise * for_slope) ** 2, axis=1))
    return Curve(grid, for_level @ clipped, for_slope @ clipped, error, certain)


def _noise(losses: np.ndarray, clipped: np.ndarray) -> float:
    """Standard deviation of a loss, from the median absolute second difference of the losses that were not clipped.

    A straight slope adds nothing to second differences, and the few that a bend adds to do not move the median.
    """
    seconds = np.diff(losses, 2)
    whole = np.lib.stride_tricks.sliding_window_view(losses <= clipped, 3).all(axis=1)
    if not whole.any():
        return float(np.std(clipped))
    return float(np.median(np.abs(seconds[whole]))) / (0.6745 * 6**0.5)
