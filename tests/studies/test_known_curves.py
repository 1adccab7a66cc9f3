"""Curves whose steepest point is known: where it is, what the rules say of it, and what Lightning's finder says."""

import numpy as np
import pytest

from studies.known_curves import RAW, SHAPES, STOCK, TARGET, Shape, answers, around, off
from trainer.stock_finder import stock_suggestion

QUIET = Shape(noise=0.0)


@pytest.mark.parametrize("curve", SHAPES)
def test_the_steepest_point_is_where_it_is_said_to_be(curve: str) -> None:
    """On a fine grid, without noise, by the largest difference."""
    shape = SHAPES[curve]
    fine = Shape(shape.width, shape.diverges, 0.0, 4001, 1e-5)
    x, losses = np.log10(fine.lrs()), fine.losses(0)
    assert 10 ** x[np.argmin(np.diff(losses))] == pytest.approx(TARGET, rel=0.01)


def test_the_same_seed_draws_the_same_noise() -> None:
    one, other = SHAPES["usual"].losses(1), SHAPES["usual"].losses(2)
    assert np.array_equal(one, SHAPES["usual"].losses(1)) and not np.array_equal(one, other)
    assert np.std(one - QUIET.losses(1)) == pytest.approx(0.05, rel=0.1)


def test_what_is_said_of_the_usual_curve() -> None:
    told = answers("usual", 4)
    assert all(len(found) == 4 for found in told.values())
    assert np.abs(off(told["steepest"])).max() < 0.5 and around(told["bounds"]) == 4
    assert np.abs(off(told[RAW])).min() > 2 and np.abs(off(told[STOCK])).min() > 2
    assert answers("10 rates", 4)[RAW] == [None] * 4


def test_lightning_s_finder_takes_its_gradient_along_the_rate() -> None:
    """Without noise it is where the loss falls most for a step of the rate, below where it falls most for a decade."""
    lrs, losses = QUIET.lrs(), QUIET.losses(0)
    found = stock_suggestion(lrs, losses, smoothed=False)
    slopes = np.gradient(losses[10:-1], lrs[10:-1])
    assert found == lrs[10 + int(np.argmin(slopes))] < TARGET


def test_lightning_s_callback_smooths_and_stops() -> None:
    lrs, losses = QUIET.lrs(), QUIET.losses(0)
    assert stock_suggestion(lrs, losses, smoothed=True) != stock_suggestion(lrs, losses, smoothed=False)
    blown_up = np.concatenate([losses[:12], np.full(388, 1e4)])  # it stops at the thirteenth, with its mean kept
    assert stock_suggestion(lrs, blown_up, smoothed=True) == stock_suggestion(lrs, blown_up[:13], smoothed=True)
    assert stock_suggestion(lrs, losses[:12], smoothed=True) is None
