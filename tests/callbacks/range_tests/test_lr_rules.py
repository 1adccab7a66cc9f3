import dataclasses
import json

import numpy as np
import pytest

from callbacks.range_tests.losses import smooth
from callbacks.range_tests.lr_consensus import consensus, density_at, raised
from callbacks.range_tests.lr_curve import curve
from callbacks.range_tests.lr_rules import RULES
from callbacks.range_tests.lr_sweeps import rates

TARGET = 1e-2
valley, steepest, minimum_tenth, bounds = RULES
every_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)


def sigmoid(lrs: np.ndarray, noise: float = 0.0, seed: int = 0, width: float = 0.25) -> np.ndarray:
    """Falls from 2.3 to 0.5, most at TARGET; rises from 0.3 on, with the square of the decades."""
    x = np.log10(lrs)
    beyond = np.maximum(x - np.log10(0.3), 0)
    level = 2.3 - 1.8 / (1 + np.exp(-(x + 2) / width)) + 20 * beyond**2
    return level + noise * np.random.default_rng(seed).standard_normal(len(lrs))


def flat(lrs: np.ndarray, seed: int) -> np.ndarray:
    return 2.3 + 0.05 * np.random.default_rng(seed).standard_normal(len(lrs))


def sweep(steps: int = 400, lowest: float = 1e-7) -> np.ndarray:
    return np.geomspace(lowest, 10, steps)


def decades(lr: float, other: float = TARGET) -> float:
    return abs(np.log10(lr / other))


def test_blind_steepest_and_bounds_find_a_known_point():
    lrs = sweep()
    curves = [sigmoid(lrs, 0.05, seed) for seed in range(200)]
    suggested = [steepest(lrs, losses)[0] for losses in curves]
    assert decades(float(np.median(suggested))) < 0.5
    intervals = [bounds(lrs, losses) for losses in curves]
    assert sum(low < TARGET < high for low, high in intervals) == 200
    assert max(np.log10(high / low) for low, high in intervals) < 2  # the whole axis would bracket it too


@pytest.mark.parametrize("losses", [np.full(300, 2.3), np.full(3, 0.1)])
def test_smooth_keeps_a_constant(losses):
    assert np.abs(smooth(losses) - losses).max() < 1e-12


def test_smooth_is_the_weighted_mean_of_what_came():
    losses = np.random.default_rng(0).normal(size=30)
    weights = 0.9 ** np.arange(30)[::-1]
    assert smooth(losses, 0.9)[-1] == pytest.approx((weights * losses).sum() / weights.sum(), abs=1e-12)
    assert np.allclose(smooth(losses, 0.0), losses)


def test_the_curve_has_a_lines_slope_whatever_the_spacing():
    lrs = np.sort(10 ** np.random.default_rng(0).uniform(-5, 0, 60))
    losses = 3 - 0.4 * np.log10(lrs)
    at = curve(lrs, losses)
    assert np.allclose(at.slope, -0.4) and np.allclose(at.at(lrs), losses)
    cut = curve(lrs, losses[:50]).at(lrs)
    assert np.allclose(cut[:50], losses[:50]) and np.isnan(cut[50:]).all()


def test_the_slopes_error_is_its_scatter():
    lrs = sweep(200)
    seen = [curve(lrs, flat(lrs, seed)) for seed in range(60)]
    scatter = np.std([at.slope for at in seen], axis=0)
    assert np.median(scatter) == pytest.approx(np.median([at.error for at in seen]), rel=0.2)


def test_a_weak_fall_reaches_no_further_than_its_noise_lets_see():
    lrs, found = sweep(), 0
    for seed in range(20):
        at = curve(lrs, flat(lrs, seed) - 0.15 / (1 + (TARGET / lrs) ** 2))
        for first, last in at.falls():
            found += 1
            assert np.all(at.slope[first : last + 1] < -2 * at.error[first : last + 1])
    assert found >= 10


@every_rule
@pytest.mark.parametrize("steps", [10, 20, 100, 400])
def test_rules_answer_near_the_fall_with_few_and_many_rates(rule, steps):
    lrs = sweep(steps, 1e-9 if steps == 10 else 1e-7)
    low, high = rule(lrs, sigmoid(lrs, 0.02))
    assert decades(low) < 1.5 and decades(high) < 1.5
    assert low < high if rule.answers == "bounds" else low == high


@every_rule
def test_shifting_the_rates_and_scaling_the_loss_only_shifts_the_answer(rule):
    lrs = sweep(200)
    losses = sigmoid(lrs, 0.05)
    answer = np.array(rule(lrs, losses))
    assert np.allclose(rule(lrs * 1e-3, losses), answer * 1e-3)
    assert np.allclose(rule(lrs, 7 * losses - 20), answer)


@every_rule
def test_how_it_ends_hardly_matters(rule):
    lrs = sweep()
    whole = sigmoid(lrs, 0.05)
    answer = rule(lrs, whole)
    exploded, broken = whole.copy(), whole.copy()
    exploded[lrs > 1] = 1e12
    broken[lrs > 0.5], broken[-1] = np.nan, 0.0
    stopped = whole[lrs < 1]
    for losses in (exploded, broken, stopped):
        assert all(decades(one, other) < 0.1 for one, other in zip(rule(lrs, losses), answer, strict=True))


def test_steepest_works_on_a_linear_sweep():
    lrs = np.linspace(1e-4, 0.2, 400)
    assert decades(steepest(lrs, sigmoid(lrs, 0.02))[0]) < 0.5


def test_steepest_and_valley_differ_where_they_should():
    # a long gentle fall, then a short steep one
    x = np.linspace(-7, 1, 400)
    losses = np.interp(x, [-7, -6, -2, -1.7, 1], [3, 3, 2.2, 0.7, 0.7])
    assert decades(steepest(10**x, losses)[0], 10**-1.85) < 0.2
    # two falls, a ledge between
    apart = np.interp(x, [-7, -6, -3, -1.5, -1.2, 1], [3, 3, 2, 2, 1.2, 1.2])
    assert decades(valley(10**x, apart)[0], 10**-4.5) < 0.3
    assert decades(steepest(10**x, apart)[0], 10**-1.35) < 0.2


@pytest.mark.parametrize("noise", [0.0, 1e-3, 0.05])
def test_valley_depends_little_on_the_noise(noise):
    # without noise every tail of the sigmoid falls, down to the first rate
    assert decades(valley(sweep(), sigmoid(sweep(), noise))[0]) < 0.3


def test_minimum_tenth_is_a_tenth_of_the_minimum():
    x = np.linspace(-6, 0, 300)
    assert decades(minimum_tenth(10**x, (x + 2) ** 2)[0], 1e-3) < 0.05


@every_rule
def test_nothing_is_found_where_nothing_falls(rule):
    lrs = sweep()
    assert rule(lrs, np.full(400, 2.3)) is None
    assert rule(lrs, 2.3 + np.log10(lrs)) is None
    assert rule(lrs, np.full(400, np.nan)) is None
    assert rule(lrs, sigmoid(lrs)[:3]) is None
    assert sum(rule(lrs, flat(lrs, seed)) is not None for seed in range(50)) == 0


@pytest.mark.parametrize(
    ("lrs", "losses", "field"),
    [
        ([1e-3, 1e-3, 1e-2, 1e-1], [1.0] * 4, "lrs"),
        ([0.0, 1e-3, 1e-2, 1e-1], [1.0] * 4, "lrs"),
        ([1e-4, 1e-3, 1e-2, np.nan], [1.0] * 4, "lrs"),
        ([1e-4, 1e-3, 1e-2, 1e-1], [1.0] * 5, "losses"),
    ],
)
def test_mistakes_are_named(lrs, losses, field):
    with pytest.raises(ValueError, match=f"^{field} must .*: "):
        steepest(np.array(lrs), np.array(losses))


def test_mistakes_of_smooth_and_consensus_are_named():
    with pytest.raises(ValueError, match=r"^beta .*: "):
        smooth(np.ones(3), 1.0)
    with pytest.raises(ValueError, match=r"^losses_per_seed .*: "):
        consensus(sweep(), [])


def test_consensus_is_the_median_over_seeds_with_their_spread():
    lrs = sweep()
    shifts = (0, 5, 20)  # indices: each seed's curve lies so many rates higher
    curves = [np.concatenate([np.full(shift, 2.3), sigmoid(lrs)[: 400 - shift]]) for shift in shifts]
    agreed = consensus(lrs, curves)
    assert agreed.refusal is None and agreed.seeds == 3
    alone = {rule.name: [rule(lrs, losses) for losses in curves] for rule in RULES}
    for name, answers in alone.items():
        assert agreed.rules[name].low == pytest.approx(answers[1][0])
        assert agreed.rules[name].high == pytest.approx(answers[1][1])
        assert agreed.rules[name].seeds == 3
    assert agreed.rules["steepest"].spread == pytest.approx(20 * 8 / 399, abs=0.03)
    points = [agreed.rules[name].low for name in ("valley", "steepest", "minimum_tenth")]
    assert agreed.median == pytest.approx(np.median(points))
    upper, density = agreed.bounds[1], 399 / 8
    assert agreed.lr == pytest.approx((agreed.median * upper) ** 0.5 * (density / 25) ** 0.6)
    assert agreed.bounds == (agreed.rules["bounds"].low, agreed.rules["bounds"].high)
    assert agreed.bounds[0] < agreed.median < agreed.lr


def test_consensus_takes_seeds_that_stopped_at_different_steps():
    lrs = sweep()
    agreed = consensus(lrs, [sigmoid(lrs, 0.05, seed)[: 360 - 10 * seed] for seed in range(3)])
    assert agreed.refusal is None and decades(agreed.median) < 0.5


def test_the_suggestion_does_not_leave_what_was_tried():
    """Four thousand steps would correct it by a factor of six, beyond the rate at which every sweep has ended."""
    lrs = np.geomspace(1e-7, 10, 4000)
    end = int(np.searchsorted(lrs, 0.05))
    agreed = consensus(lrs, [sigmoid(lrs, 0.05, seed)[:end] for seed in range(3)])
    assert agreed.lr == lrs[end - 1]


@pytest.mark.parametrize(("count", "sweep"), [(100, "exponential"), (200, "exponential"), (300, "linear")])
def test_the_density_is_that_around_the_rate(count, sweep):
    lrs = rates(1e-3, 1.0, count, sweep)
    place = count // 2
    expected = 1 / np.log10(lrs[place + 1] / lrs[place])
    assert density_at(lrs, float(np.sqrt(lrs[place] * lrs[place + 1]))) == pytest.approx(expected, rel=1e-3)
    assert raised(0.01, 0.04, 25.0) == pytest.approx(0.02) and raised(0.01, 0.04, 50.0) > 0.03


def test_consensus_refuses_a_flat_curve():
    lrs = sweep()
    refused = consensus(lrs, [flat(lrs, seed) for seed in range(3)])
    assert (refused.lr, refused.bounds) == (None, None) and "flat" in refused.refusal
    assert all(answer is None for answer in refused.rules.values())
    one_falls = consensus(lrs, [flat(lrs, 0), sigmoid(lrs)])
    assert one_falls.lr is None and "flat" in one_falls.refusal
    two_fall = consensus(lrs, [flat(lrs, 0), sigmoid(lrs), sigmoid(lrs, 0.05)])
    assert two_fall.refusal is None and two_fall.rules["steepest"].seeds == 2


def test_consensus_refuses_rules_that_disagree():
    # steep at 1e-6, then falling gently for six decades
    x = np.linspace(-8, 1, 450)
    losses = np.interp(x, [-8, -6.2, -5.8, 0.5, 1], [3, 3, 1.5, 1.0, 3])
    refused = consensus(10**x, [losses])
    assert (refused.lr, refused.bounds) == (None, None)
    assert "disagree" in refused.refusal and "steepest says" in refused.refusal
    assert decades(refused.rules["steepest"].low, 1e-6) < 0.3


def test_consensus_goes_into_json():
    lrs = sweep(100)
    for curves in ([sigmoid(lrs, 0.05)], [flat(lrs, 0)]):
        agreed = consensus(lrs, curves)
        read = json.loads(json.dumps(dataclasses.asdict(agreed), allow_nan=False))
        assert read["lr"] == agreed.lr and set(read["rules"]) == {rule.name for rule in RULES}
