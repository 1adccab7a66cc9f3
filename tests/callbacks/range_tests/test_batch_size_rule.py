"""b_min and b_max on curves whose right answer is known."""

import numpy as np
import pytest

from callbacks.range_tests.batch_size_rule import Count, Suggestion, suggest

SIZES = [2**power for power in range(4, 14)]
START = 2.3


def curve(losses: object, errors: float = 0.0) -> Count:
    """Losses of one seed, (n,), or of several, (seeds, n)."""
    table = np.atleast_2d(np.asarray(losses, float))
    return Count(table, np.full(table.shape, errors))


def by_noise_scale(noise: float) -> tuple[Count, Count]:
    """Loss of a model in which a step gains 1 / (1 + noise / B) of what it would without noise (McCandlish et al.)."""
    batch = np.array(SIZES, float)
    gain = 3 / (1 + noise / batch)
    return curve(START * np.exp(-gain)), curve(START * np.exp(-gain * SIZES[0] / batch))


@pytest.mark.parametrize("noise", [100, 300, 1000])
def test_the_noise_scale_lies_between_the_bounds(noise: float) -> None:
    found = suggest(SIZES, *by_noise_scale(noise), START)
    assert found.refusal is None and found.bounds is not None
    assert found.bounds[0] < noise < found.bounds[1]
    assert found.bounds == (found.best_at_samples[-1], found.best_at_steps[0])


def test_the_ends_of_the_two_plateaus() -> None:
    at_steps = curve([2.0, 1.5, 0.58, 0.57, 0.5, 0.5])  # the tolerance is .05 * 1.5
    at_samples = curve([1.0, 1.05, 1.07, 1.6, 1.9, 2.2])  # .05 * 1.2
    assert suggest(SIZES[:6], at_steps, at_samples, START) == Suggestion((32, 128), (128, 256, 512), (16, 32), None)


def test_where_they_cross_the_smallest_size_is_the_lower_bound() -> None:
    found = suggest(SIZES[:5], curve([2.0, 1.0, 0.5, 0.5, 0.5]), curve([1.0, 1.0, 1.0, 1.0, 2.0]), START)
    assert (found.best_at_samples[-1], found.best_at_steps[0]) == (128, 64)
    assert found.bounds == (16, 64)


@pytest.mark.parametrize(
    ("at_steps", "at_samples", "start", "reason"),
    [
        ([1.0, 0.5, np.nan, np.nan], [1.0, 1.5, np.nan, np.nan], START, "only 2 of 4 sizes ran"),
        ([2.4, 2.35, 2.5, 2.6], [2.4, 2.5, 2.5, 2.5], START, "no size brought the loss below its start"),
        ([2.0, 2.0, 2.0, 2.0], [2.0, 2.0, 2.0, 2.0], START, "both curves are flat"),
        ([1.0, 1.0, 1.0, 1.0], [1.0, 1.5, 2.0, 2.2], START, "no size does better than the smallest, 16"),
        ([np.nan, 1.0, 0.8, 0.6], [np.nan] * 4, START, "no size that ran makes a step of as many samples"),
    ],
)
def test_refusals(at_steps: list[float], at_samples: list[float], start: float, reason: str) -> None:
    found = suggest(SIZES[:4], curve(at_steps), curve(at_samples), start)
    assert found.bounds is None and found.refusal is not None and reason in found.refusal


def test_noise_makes_a_curve_flat() -> None:
    at_steps, at_samples = [1.03, 1.0, 1.02, 1.01], [1.02, 1.0, 1.01, 1.03]
    assert suggest(SIZES[:4], curve(at_steps, 0.001), curve(at_samples, 0.001), START).bounds is not None
    found = suggest(SIZES[:4], curve(at_steps, 0.02), curve(at_samples, 0.02), START)
    assert found.refusal is not None and "flat" in found.refusal


def test_a_size_that_is_only_uncertain_is_not_among_the_best() -> None:
    """At equal steps, 32 may be as good as any for all that its seeds say; but 64, which is sure, is not."""
    level = np.array([2.0, 0.9, 1.0, 0.5, 0.5])
    losses = level + np.array([[-1.0], [1.0]]) * [0, 0.4, 0.01, 0.01, 0.01]
    found = suggest(SIZES[:5], curve(losses), curve([[1.0, 1.3, 1.6, 2.0, 2.1]] * 2), START)
    assert found.best_at_steps == (128, 256) and found.bounds == (16, 128)


def test_a_size_that_did_not_run_parts_nothing() -> None:
    found = suggest(SIZES[:5], curve([2.0, 1.0, 0.5, np.nan, 0.49]), curve([1.0, 1.3, 1.6, 2.0, 2.1]), START)
    assert found.best_at_steps == (64, 256)


def test_several_seeds_say_themselves_how_sure_they_are() -> None:
    """The difference of .1 between the last sizes counts where seeds agree, and not where either is uncertain."""
    level, at_samples = np.array([2.0, 1.0, 0.6, 0.5]), [1.0, 1.2, 1.6, 2.0]
    apart = np.array([[-1.0], [1.0], [-1.0], [1.0]]) / (4 / 3) ** 0.5 * 4**0.5  # a standard error of 1
    for errors, gains_most in (([0, 0, 0.04, 0.02], 128), ([0, 0, 0.05, 0.02], 64), ([0.5, 0, 0, 0], 128)):
        found = suggest(SIZES[:4], curve(level + errors * apart), curve([at_samples] * 4), START)
        assert found.best_at_steps[0] == gains_most


def test_a_size_that_broke_down_does_not_widen_the_tolerance() -> None:
    at_samples = curve([1.0, 1.5, 2.0, 2.2])
    usual = suggest(SIZES[:4], curve([2.3, 1.0, 0.6, 0.5]), at_samples, START)
    broken = suggest(SIZES[:4], curve([900.0, 1.0, 0.6, 0.5]), at_samples, START)
    assert broken == usual and usual.best_at_steps == (128,)


def test_a_size_that_diverged_later_on_is_not_the_lower_bound() -> None:
    at_steps = curve([2.0, np.nan, 1.0, 0.6, 0.5])
    found = suggest(SIZES[:5], at_steps, curve([1.0, 0.9, 1.5, 1.6, 1.7]), START)
    assert found.bounds == (16, 256)


def test_only_sizes_that_ran_are_returned_and_in_their_order() -> None:
    random = np.random.default_rng(0)
    suggested = 0
    for _ in range(500):
        at_steps, at_samples = random.uniform(0.1, 2.5, (2, 6))
        at_steps[random.random(6) < 0.3] = random.choice([np.nan, np.inf])
        at_samples[random.random(6) < 0.3] = np.nan
        found = suggest(SIZES[:6], curve(at_steps), curve(at_samples), START)
        assert (found.bounds is None) == (found.refusal is not None)
        if found.bounds is not None:
            suggested += 1
            assert found.bounds[0] < found.bounds[1]
            assert all(np.isfinite(at_steps[SIZES.index(size)]) for size in found.bounds)
    assert suggested > 100


@pytest.mark.parametrize(
    ("sizes", "losses", "field"),
    [([64, 32, 16], [1.0, 1.0, 1.0], "sizes"), ([16, 16, 32], [1.0] * 3, "sizes"), ([16, 32], [1.0] * 3, "at_steps")],
)
def test_what_is_no_curve_is_refused(sizes: list[int], losses: list[float], field: str) -> None:
    with pytest.raises(ValueError, match=field):
        suggest(sizes, curve(losses), curve(losses), START)
