"""The noise scale's estimator against what it estimates, on gradients whose noise is known."""

import numpy as np
import pytest
import pytorch_lightning as pl
import torch

from callbacks.range_tests.noise_scale import (
    AT_START,
    BATCHES,
    NoiseReadings,
    NoiseWatch,
    noise_scale,
    pooled,
    squared_norms,
    two_batch,
)
from callbacks.range_tests.rehearsal import Rehearsal
from lightning_modules import MLP, ResNet
from tests.callbacks.on_the_side import on_the_side
from tests.callbacks.records import assert_same


@pytest.mark.parametrize(("small", "big"), [(1, 2), (8, 64), (64, 512)])
def test_the_expectations_are_solved_exactly(small: int, big: int) -> None:
    signal, noise = np.array([0.3, 2.0]), np.array([900.0, 7.0])
    found = two_batch(signal + noise / small, signal + noise / big, small, big)
    assert np.allclose(found, (signal, noise), rtol=1e-9)


def test_both_parts_are_unbiased_on_a_linear_problem() -> None:
    """Per-sample gradients N(G, Sigma) in 30 dimensions: |G|^2 and tr(Sigma) within four standard errors."""
    random = np.random.default_rng(0)
    gradient, deviations = random.normal(size=30), random.uniform(0.5, 6, 30)
    draws, small, big = 20_000, 4, 32
    norms = [
        ((gradient + deviations / batch**0.5 * random.normal(size=(draws, 30))) ** 2).sum(axis=1)
        for batch in (small, big)
    ]
    for found, exact in zip(two_batch(*norms, small, big), ((gradient**2).sum(), (deviations**2).sum()), strict=True):
        error = found.std() / draws**0.5
        assert abs(found.mean() - exact) < 4 * error < 0.05 * exact


def test_sizes_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="small_size must be below big_size"):
        two_batch(np.ones(1), np.ones(1), 8, 8)


def test_parts_are_smoothed_apart_and_then_divided() -> None:
    signals, noises = np.array([1.0, 4.0]), np.array([8.0, 8.0])
    assert noise_scale(signals, noises, 0.5) == pytest.approx(
        [8.0, 8.0 / 3.0]
    )  # (0.5 * 1 / 2 + 4 / 2) / (1 - 0.25) = 3
    assert noise_scale(np.full(5, 2.0), np.full(5, 6.0), 0.9) == pytest.approx([3.0] * 5)


def test_a_gradient_that_does_not_stand_out_has_no_noise_scale() -> None:
    found = noise_scale(np.array([-1.0, 5.0]), np.array([3.0, 3.0]), 0.5)
    assert np.isnan(found[0]) and found[1] == pytest.approx(1.0)


def test_readings_are_taken_apart_by_when_they_were_made() -> None:
    readings = NoiseReadings(np.array([0, 0, 20, 40]), np.array([1.0, 3, 1, 1]), np.array([4.0, 4, 10, 10]))
    assert readings.at_start() == pytest.approx(2.0)
    steps, values = readings.along()
    assert steps.tolist() == [20, 40] and values == pytest.approx([10.0, 10.0])
    shorter = NoiseReadings(readings.steps[:3], readings.signals[:3] + 2, readings.noises[:3])
    both = pooled([readings, shorter])
    assert both.steps.tolist() == [0, 0, 20] and both.signals.tolist() == [2, 4, 2]
    nothing = NoiseReadings(np.zeros(0, int), np.zeros(0), np.zeros(0))
    assert np.isnan(nothing.at_start()) and len(nothing.along()[0]) == 0


def test_the_measured_norms_give_the_training_sets_own_noise() -> None:
    """Softmax regression: every sample's gradient is known; without replacement, (N - B) / (N - 1) of it is left."""
    size, readings = 16, 120

    def measure(trainer: pl.Trainer) -> tuple[np.ndarray, np.ndarray]:
        singles, batches = Rehearsal(trainer, 1, seed=1), Rehearsal(trainer, size, seed=2, whole=True)
        each = []
        for number in range(singles.stream.samples):
            singles.gradient(number)
            each.append(torch.cat([grad.flatten().double() for grad in singles.gradients()]).clone())
        norms = [squared_norms(batches, reading * 4, 4) for reading in range(readings)]
        return torch.stack(each).numpy(), torch.stack(norms).numpy()

    each, norms = on_the_side(MLP(1, 8, 10, hidden_sizes=[]), measure)
    exact_signal = (each.mean(axis=0) ** 2).sum()
    samples = len(each)
    exact_noise = ((each - each.mean(axis=0)) ** 2).sum() / samples * (samples - size) / (samples - 1)
    signal, noise = two_batch(norms[:, 0], norms[:, 1], size, 4 * size)
    for found, exact in ((signal, exact_signal), (noise, exact_noise)):
        error = found.std() / readings**0.5
        assert abs(found.mean() - exact) < 4 * error < 0.25 * exact


def test_watching_changes_nothing_that_is_watched() -> None:
    def train(trainer: pl.Trainer) -> list[dict[str, torch.Tensor]]:
        ends = []
        for watched in (True, False):
            rehearsal = Rehearsal(trainer, 16, seed=3)
            watch = NoiseWatch(lambda: Rehearsal(trainer, 16, seed=4), 16)
            for number in range(3):
                if watched:
                    watch(number, rehearsal)
                rehearsal.step(number, 0.1)
            ends.append(rehearsal.module.state_dict())
            if watched:
                readings = watch.readings()
                assert readings.steps.tolist() == [0] * AT_START + [1, 2] and len(readings.noises) == AT_START + 2
                assert np.isfinite(readings.signals).all() and (readings.noises > 0).all()
        return ends

    ends = on_the_side(ResNet(depth=8, in_channels=1, image_size=8), train)
    assert any("running_mean" in key for key in ends[0])
    assert_same(dict(ends[0]), dict(ends[1]))


def test_the_big_batch_is_the_mean_of_small_ones() -> None:
    """A norm over all samples, cut into batches of every pass's first samples, is the whole gradient's."""

    def measure(trainer: pl.Trainer) -> tuple[float, float]:
        whole = Rehearsal(trainer, 998, seed=5)
        both = squared_norms(whole, 0, BATCHES)
        return both[0].item(), both[1].item()

    small, big = on_the_side(MLP(1, 8, 10, hidden_sizes=[]), measure)
    assert small == pytest.approx(big, rel=1e-5)
