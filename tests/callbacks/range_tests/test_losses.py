"""The mean of the last tenth of the losses, and how sure it is."""

import math

import numpy as np
import pytest

from callbacks.range_tests.losses import last_tenth


def test_a_tenth_of_several_steps_has_the_error_of_their_mean() -> None:
    losses = [9.0] * 36 + [1.0, 2.0, 3.0, 4.0]
    assert last_tenth(losses) == pytest.approx((2.5, math.sqrt(5 / 3) / 2))


def test_a_single_step_has_the_noise_about_an_even_fall() -> None:
    rng = np.random.default_rng(0)
    errors = [last_tenth(list(3 - 0.1 * np.arange(16) + rng.normal(0, 0.05, 16)))[1] for _ in range(500)]
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(0.05, rel=0.05)
    assert last_tenth(list(3 - 0.1 * np.arange(16)))[1] == pytest.approx(0, abs=1e-12)


def test_two_losses_have_no_error() -> None:
    assert last_tenth([2.0, 1.0])[0] == 1.0
    assert math.isnan(last_tenth([2.0, 1.0])[1])
    assert math.isnan(last_tenth([2.0])[1])
