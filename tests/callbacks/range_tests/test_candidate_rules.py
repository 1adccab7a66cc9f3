"""Rules for candidates: each rate has trained to its end, so the lowest loss is the best, and a wide bottom is good."""

import numpy as np
import pytest

from callbacks.range_tests.lr_consensus import consensus
from callbacks.range_tests.lr_rules import CANDIDATE_RULES, RULES

_, steepest, _, bounds = RULES
lowest, trainable = CANDIDATE_RULES
# SmallCNN on Fashion-MNIST, SGD with momentum, five epochs at each rate: what `cadence lr-range-test
# -c fashion_mnist_small_cnn_lr_candidates` measured
RATES = np.geomspace(1e-9, 10, 10)
MEASURED = np.array([2.31635, 2.31629, 2.31536, 2.30515, 2.03581, 0.50734, 0.33430, 0.37345, 2.33147, 3.93929])


def basin(lrs: np.ndarray, rises: float = -0.5, floor: float = 0.3) -> np.ndarray:
    """Falls around 1e-4, then is all but even, with its lowest at 1e-2, until it rises at 10^`rises`."""
    x = np.log10(lrs)
    return floor + 2.0 / (1 + np.exp((x + 4) / 0.25)) + 0.003 * (x + 2) ** 2 + 8 * np.maximum(x - rises, 0)


def test_the_measured_curve() -> None:
    agreed = consensus(RATES, [MEASURED], CANDIDATE_RULES)
    assert agreed.lr is not None and agreed.bounds is not None
    assert RATES[6] / 3 < agreed.lr < RATES[6] * 3
    assert RATES[3] < agreed.bounds[0] < RATES[4]  # the loss starts to fall
    assert RATES[7] / 1.1 < agreed.bounds[1] < RATES[8] / 2  # and has turned at the next
    assert steepest(RATES, MEASURED)[0] < agreed.lr / 30  # what is right for a sweep is far too low here


@pytest.mark.parametrize("last", [2.4, 2.9, 3.29, 3.6, 3.94, 40.0, np.inf])
def test_what_the_last_rate_comes_to_decides_nothing(last: float) -> None:
    """Ten rates bend from one to the next: with 3.29 their second differences would pass for noise that hides the fall.

    The errors, measured on the way, are those of a mean over 391 steps.
    """
    losses, errors = np.append(MEASURED[:-1], last), np.full(10, 0.006)
    agreed = consensus(RATES, [losses], CANDIDATE_RULES, [errors])
    assert agreed.lr is not None and RATES[6] / 3 < agreed.lr < RATES[6] * 3
    assert RATES[3] < agreed.bounds[0] < RATES[4] and RATES[7] / 1.1 < agreed.bounds[1] < RATES[8] / 1.5


@pytest.mark.parametrize(("count", "without"), [(5, 98), (6, 93), (8, 85), (10, 51), (15, 0)])
def test_no_basin_is_taken_for_flat(count: int, without: int) -> None:
    """However few the rates; of a hundred curves so many are refused where the errors are not known."""
    lrs, refused = np.geomspace(1e-9, 10, count), 0
    for seed in range(100):
        draw = np.random.default_rng(seed)
        scale, rises, top = 10 ** draw.uniform(-1.5, 1.5), draw.uniform(-1.5, 0.5), draw.uniform(2.4, 4.0)
        losses = np.minimum(basin(lrs * scale, rises), top) + 0.005 * draw.standard_normal(count)
        agreed = consensus(lrs, [losses], CANDIDATE_RULES, [np.full(count, 0.005)])
        assert agreed.lr is not None and agreed.bounds is not None
        refused += consensus(lrs, [losses], CANDIDATE_RULES).lr is None
        there = basin(np.array([agreed.lr * scale]), rises)[0]
        assert there < losses.min() + 0.2  # within a tenth of the fall of the best candidate
    assert refused == without


def test_errors_decide_what_is_flat() -> None:
    found = 0
    for seed in range(200):
        losses = 2.3 + 0.01 * np.random.default_rng(seed).standard_normal(10)
        found += consensus(RATES, [losses], CANDIDATE_RULES, [np.full(10, 0.01)]).lr is not None
    assert found <= 6
    assert consensus(RATES, [MEASURED], CANDIDATE_RULES, [np.full(10, 2.0)]).refusal is not None


def test_errors_are_one_a_loss() -> None:
    with pytest.raises(ValueError, match="errors must be one per loss"):
        lowest(RATES, MEASURED, np.full(9, 0.1))


@pytest.mark.parametrize("count", [12, 40, 200])
def test_a_wide_bottom_is_trainable_to_its_end(count: int) -> None:
    lrs = np.geomspace(1e-8, 10, count)
    found = trainable(lrs, basin(lrs))
    assert found is not None
    assert 1e-5 < found[0] < 1e-4 and 0.1 < found[1] < 1
    assert found[0] == bounds(lrs, basin(lrs))[0] and bounds(lrs, basin(lrs))[1] < 3e-3
    assert 3e-3 < lowest(lrs, basin(lrs))[0] < 3.3e-2  # half a decade off at most: twelve rates are .8 decades apart


def test_what_has_not_turned_is_trainable_to_the_last() -> None:
    lrs = np.geomspace(1e-8, 0.1, 15)
    assert trainable(lrs, basin(lrs))[1] == pytest.approx(0.1)


def test_a_second_fall_beyond_the_turn_does_not_count() -> None:
    lrs = np.geomspace(1e-8, 100, 60)
    losses = np.where(np.log10(lrs) > 1.2, 0.4, basin(lrs))
    assert trainable(lrs, losses)[1] < 1


@pytest.mark.parametrize("rule", CANDIDATE_RULES, ids=lambda rule: rule.name)
def test_shifted_rates_and_scaled_losses_only_shift_the_answer(rule) -> None:
    lrs = np.geomspace(1e-8, 10, 40)
    shifted = rule(lrs * 1e-2, 7 * basin(lrs) + 3)
    assert shifted == pytest.approx([rate * 1e-2 for rate in rule(lrs, basin(lrs))])


@pytest.mark.parametrize("rule", CANDIDATE_RULES, ids=lambda rule: rule.name)
@pytest.mark.parametrize("losses", [np.full(10, 2.3), np.linspace(2.3, 4.0, 10), np.full(10, np.inf)])
def test_nothing_is_found_where_nothing_falls(rule, losses: np.ndarray) -> None:
    assert rule(RATES, losses) is None


def test_seeds_give_a_band() -> None:
    lrs = np.geomspace(1e-8, 10, 30)
    agreed = consensus(lrs, [basin(lrs, rises) for rises in (-1.5, -1.0, -0.5)], CANDIDATE_RULES)
    answer = agreed.rules["bounds"]
    assert answer is not None and answer.seeds == 3 and answer.spread == pytest.approx(1.0, abs=0.15)
    assert set(agreed.rules) == {"lowest", "bounds"}
