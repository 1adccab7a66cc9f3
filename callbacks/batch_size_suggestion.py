"""Between which batch sizes is it worth while to stay: a rule on the losses of a batch-size range test."""

from dataclasses import dataclass

import numpy as np

SHARE = 0.05  # of a curve's range, within which a loss counts as one of the best
ERRORS = 2.0  # standard errors, likewise
FLAT = 0.01  # of the best loss: a curve that spans less has nothing to choose between
LEAST = 3  # sizes, below which there is no curve


@dataclass(frozen=True)
class Count:
    """Losses of the sizes at an equal number of steps, or of samples.

    Attributes:
        losses: mean training loss, (seeds, n); not finite where a size did not run so far.
        errors: standard error of each over its own steps, (seeds, n); NaN where unknown. Used where there is one seed.
    """

    losses: np.ndarray
    errors: np.ndarray

    def level(self) -> np.ndarray:
        """Mean over the seeds, (n,); NaN where a seed has no finite loss."""
        return np.where(np.isfinite(self.losses), self.losses, np.nan).mean(axis=0)

    def error(self) -> float:
        """One standard error of `level` for the whole curve, root mean square over the sizes; 0 where unknown."""
        known = np.isfinite(self.level())
        if len(self.losses) > 1:
            squares = self.losses[:, known].var(axis=0, ddof=1) / len(self.losses)
        else:
            squares = self.errors[0, known] ** 2
        squares = squares[np.isfinite(squares)]
        return float(np.sqrt(squares.mean())) if len(squares) else 0.0


@dataclass(frozen=True)
class Suggestion:
    """What the rule says.

    Attributes:
        bounds: (b_min, b_max), sizes that were run; None with a refusal.
        wastes_none: largest size among the best at equal samples; None where there is no telling.
        gains_most: smallest size among the best at equal steps; None where there is no telling.
        tolerance_at_steps: loss above the best at which a size still counts as one of the best; None where none ran.
        tolerance_at_samples: the same at equal samples.
        refusal: why there are no bounds; None where there are.
    """

    bounds: tuple[int, int] | None
    wastes_none: int | None
    gains_most: int | None
    tolerance_at_steps: float | None
    tolerance_at_samples: float | None
    refusal: str | None


def suggest(sizes: list[int], at_steps: Count, at_samples: Count, start: float) -> Suggestion:
    """b_min and b_max of a range test.

    1. Of each curve, the best is its lowest loss; its range reaches from there up to its highest loss, or to the loss
       before training if that is lower. Sizes within the tolerance of the best are among the best: 5 % of the range, or
       two standard errors if they are more.
    2. b_min is the largest size among the best at equal *samples*: up to it, no samples are wasted.
    3. b_max is the smallest size among the best at equal *steps*: beyond it, more samples a step buy nothing.
    4. Where b_min is not below b_max, nothing is wasted anywhere up to b_max: b_min is then the smallest size.

    Refused: fewer than three sizes ran; both curves are flat (from lowest to highest less than two standard errors, or
    than 1 % of the lowest); no size brought the loss below the start's; the smallest is among the best at equal steps.

    Args:
        sizes: batch sizes, (n,), increasing.
        at_steps: losses at an equal number of steps.
        at_samples: losses at an equal number of samples.
        start: loss before training.

    Raises:
        ValueError: sizes not increasing, or losses that are not one per size.
    """
    if sizes != sorted(set(sizes)):
        raise ValueError(f"sizes must increase, got {sizes}: sort them and drop what comes twice")
    for name, count in (("at_steps", at_steps), ("at_samples", at_samples)):
        if count.losses.ndim != 2 or count.losses.shape != count.errors.shape or count.losses.shape[1] != len(sizes):
            raise ValueError(f"{name} must hold a loss and an error per seed and size: give arrays (seeds, sizes)")
    ran = np.isfinite(at_steps.level())
    if ran.sum() < LEAST:
        return _refused(f"only {ran.sum()} of {len(sizes)} sizes ran to the end: name at least {LEAST} that do")
    steps, samples = _best(at_steps, ran, start), _best(at_samples, ran, start)
    if samples is None:
        return _refused("no size that ran makes a step of as many samples: train for more steps", steps)
    assert steps is not None
    if steps.flat and samples.flat:
        return _refused("both curves are flat: raise the learning rate, or train for more steps", steps, samples)
    if steps.level >= start:
        reason = f"no size brought the loss below its start, {start:.3g}: lower the learning rate"
        return _refused(reason, steps, samples)
    smallest, no_waste, no_gain = sizes[int(np.argmax(ran))], sizes[samples.among[-1]], sizes[steps.among[0]]
    if no_gain == smallest:
        reason = f"at equal steps no size does better than the smallest, {smallest}: raise the learning rate"
        return _refused(reason, steps, samples, no_waste, no_gain)
    bounds = (no_waste if no_waste < no_gain else smallest, no_gain)
    return Suggestion(bounds, no_waste, no_gain, steps.tolerance, samples.tolerance, None)


@dataclass(frozen=True)
class _Best:
    """The best of a curve: places among the sizes, (k,), and how they were told from the others."""

    among: np.ndarray
    level: float
    tolerance: float
    flat: bool


def _best(count: Count, ran: np.ndarray, start: float) -> _Best | None:
    level = np.where(ran, count.level(), np.nan)
    if not np.isfinite(level).any():
        return None
    best, error = float(np.nanmin(level)), count.error()
    worst = float(np.nanmax(level))
    tolerance = max(SHARE * (min(worst, start) - best), ERRORS * error)
    flat = worst - best <= max(ERRORS * error, FLAT * best)
    return _Best(np.flatnonzero(level <= best + tolerance), best, tolerance, flat)


def _refused(
    reason: str,
    steps: _Best | None = None,
    samples: _Best | None = None,
    no_waste: int | None = None,
    no_gain: int | None = None,
) -> Suggestion:
    at_steps, at_samples = (None if found is None else found.tolerance for found in (steps, samples))
    return Suggestion(None, no_waste, no_gain, at_steps, at_samples, reason)
