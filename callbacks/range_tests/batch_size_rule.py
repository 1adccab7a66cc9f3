"""The rule that suggests b_min and b_max from the losses of a batch-size range test."""

from dataclasses import dataclass

import numpy as np

SHARE = 0.05  # part of a curve's range: a loss no further above the lowest is among the best
ERRORS = 2.0  # standard errors of the difference to the lowest: the same
FLAT = 0.01  # part of the lowest loss: a curve that spans less is flat
LEAST = 3  # number of sizes that a curve needs


@dataclass(frozen=True)
class Count:
    """Losses of the sizes at an equal number of steps, or of samples.

    Attributes:
        losses: mean training loss, (seeds, n); not finite where a size did not get so far.
        errors: standard error of each loss over its own steps, (seeds, n); NaN where unknown. Only used with one seed:
            with several, the spread over the seeds takes its place.
    """

    losses: np.ndarray
    errors: np.ndarray

    def level(self) -> np.ndarray:
        """Mean over the seeds, (n,); NaN where a seed has no finite loss."""
        return np.where(np.isfinite(self.losses), self.losses, np.nan).mean(axis=0)

    def error(self) -> np.ndarray:
        """Standard error of `level`, (n,); 0 where unknown."""
        finite = np.where(np.isfinite(self.losses), self.losses, np.nan)
        errors = finite.std(axis=0, ddof=1) / len(finite) ** 0.5 if len(finite) > 1 else self.errors[0]
        return np.where(np.isfinite(errors), errors, 0.0)


@dataclass(frozen=True)
class Suggestion:
    """The rule's answer.

    Attributes:
        bounds: (b_min, b_max), both of them sizes that ran; None with a refusal.
        best_at_steps: sizes among the best at equal steps; empty if too few sizes ran.
        best_at_samples: sizes among the best at equal samples; empty if too few sizes ran.
        refusal: the reason why there are no bounds; None with bounds.
    """

    bounds: tuple[int, int] | None
    best_at_steps: tuple[int, ...]
    best_at_samples: tuple[int, ...]
    refusal: str | None


def suggest(sizes: list[int], at_steps: Count, at_samples: Count, start: float) -> Suggestion:
    """b_min and b_max of a range test.

    1. The range of a curve reaches from its lowest loss up to its highest, or to the loss before training if that is
       lower. A size is among the best if its loss is above the lowest by no more than 5 % of the range, or by two
       standard errors of the difference if they are more, and every size between it and the best qualifies too, so
       that a noisy size is not accepted just for its wide error bar.
    2. b_min is the largest size among the best at equal *samples*: up to it, no samples are wasted.
    3. b_max is the smallest size among the best at equal *steps*: beyond it, more samples a step buy nothing.
    4. If b_min is not below b_max, no size up to b_max wastes samples: b_min is then the smallest size.

    Refused: fewer than three sizes ran; both curves are flat (the highest loss is within two standard errors, or 1 %,
    of the lowest); no size brought the loss below the start's; the smallest size is among the best at equal steps.

    Args:
        sizes: batch sizes, (n,), increasing.
        at_steps: losses at an equal number of steps.
        at_samples: losses at an equal number of samples.
        start: loss before training.

    Raises:
        ValueError: the sizes do not increase, or there is not one loss for each seed and size.
    """
    if sizes != sorted(set(sizes)):
        raise ValueError(f"sizes must increase, got {sizes}: sort them and drop what comes twice")
    for name, count in (("at_steps", at_steps), ("at_samples", at_samples)):
        if count.losses.ndim != 2 or count.losses.shape != count.errors.shape or count.losses.shape[1] != len(sizes):
            raise ValueError(f"{name} must hold a loss and an error per seed and size: give arrays (seeds, sizes)")
    ran = np.isfinite(at_steps.level())
    if ran.sum() < LEAST:
        return Suggestion(None, (), (), f"only {ran.sum()} of {len(sizes)} sizes ran to the end: name {LEAST} that do")
    steps, samples = _best(at_steps, ran, start), _best(at_samples, ran, start)
    best_at_steps, best_at_samples = (tuple(sizes[place] for place in found.among) for found in (steps, samples))
    smallest, bounds, refusal = sizes[int(np.argmax(ran))], None, None
    if not best_at_samples:
        refusal = "no size that ran makes a step of as many samples: train for more steps"
    elif steps.flat and samples.flat:
        refusal = "both curves are flat: raise the learning rate, or train for more steps"
    elif steps.level >= start:
        refusal = f"no size brought the loss below its start, {start:.3g}: change the learning rate"
    elif best_at_steps[0] == smallest:
        refusal = f"at equal steps no size does better than the smallest, {smallest}: raise the learning rate"
    else:
        no_waste, no_gain = best_at_samples[-1], best_at_steps[0]
        bounds = (no_waste if no_waste < no_gain else smallest, no_gain)
    return Suggestion(bounds, best_at_steps, best_at_samples, refusal)


@dataclass(frozen=True)
class _Best:
    """The best sizes of a curve by place, (k,), the lowest loss, and whether the whole curve is flat."""

    among: np.ndarray
    level: float
    flat: bool


def _best(count: Count, ran: np.ndarray, start: float) -> _Best:
    level, errors = np.where(ran, count.level(), np.nan), count.error()
    if not np.isfinite(level).any():
        return _Best(np.array([], int), float("nan"), True)
    lowest, highest = int(np.nanargmin(level)), int(np.nanargmax(level))
    best, worst = float(level[lowest]), float(level[highest])
    noise = ERRORS * np.hypot(errors, errors[lowest])
    near = level <= best + np.maximum(SHARE * (min(worst, start) - best), noise)
    places = np.flatnonzero(ran)
    outside = places[~near[places]]  # a size that did not run does not separate its neighbours
    first = max((place for place in outside if place < lowest), default=-1)
    stop = min((place for place in outside if place > lowest), default=len(level))
    among = np.array([place for place in places if first < place < stop and near[place]])
    return _Best(among, best, worst - best <= max(float(noise[highest]), FLAT * best))
