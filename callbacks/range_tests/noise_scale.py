"""The gradient noise scale: the batch size at which a gradient's noise is as large as the gradient itself.

Source: McCandlish, Kaplan, Amodei, 'An empirical model of large-batch training' (arXiv 1812.06162), section 2.2 and
appendix A.1. B_simple = tr(Sigma) / |G|^2: G is the gradient of the mean loss, Sigma the covariance of one sample's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils import get_total_norm

from callbacks.range_tests.losses import smooth
from callbacks.range_tests.rehearsal import Rehearsal

BATCHES = 8  # number of small batches that make up the big one
AT_START = 4  # number of readings before the first step, which are averaged
BETA = 0.8  # weight of the past in the running means along the training: about five readings


def two_batch(small: np.ndarray, big: np.ndarray, small_size: int, big_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Unbiased estimates of |G|^2 and of tr(Sigma), from squared norms of gradients over two batch sizes.

    From E|g_B|^2 = |G|^2 + tr(Sigma) / B (appendix A.1). A single estimate may be negative: average before use.

    Args:
        small: |g|^2 of batches of `small_size` samples, any shape.
        big: |g|^2 of batches of `big_size` samples, of the same shape.
        small_size: number of samples, at least 1.
        big_size: number of samples, more than `small_size`.

    Raises:
        ValueError: the sizes are not in order.
    """
    if not 1 <= small_size < big_size:
        raise ValueError(f"small_size must be below big_size, got {small_size} and {big_size}: exchange them")
    signal = (big_size * big - small_size * small) / (big_size - small_size)
    noise = (small - big) / (1 / small_size - 1 / big_size)
    return signal, noise


def noise_scale(signals: np.ndarray, noises: np.ndarray, beta: float) -> np.ndarray:
    """B_simple after each reading. Both parts are smoothed before they are divided: a mean of ratios is biased.

    Args:
        signals: |G|^2, (n,).
        noises: tr(Sigma), (n,).
        beta: weight of the past in the running means, in [0, 1), their bias corrected by their own count.

    Returns:
        Numbers of samples, (n,); NaN where the gradient does not stand out from its noise: take more readings.
    """
    signal, noise = smooth(signals, beta), smooth(noises, beta)
    known = (signal > 0) & (noise >= 0)
    return np.where(known, noise / np.where(known, signal, 1.0), np.nan)


@dataclass(frozen=True)
class NoiseReadings:
    """Readings of both parts along one training.

    Attributes:
        steps: number of steps done before each reading, (n,); 0 for the first `AT_START`.
        signals: |G|^2, (n,).
        noises: tr(Sigma), (n,).
    """

    steps: np.ndarray
    signals: np.ndarray
    noises: np.ndarray

    def at_start(self) -> float:
        """B_simple before the first step, from the mean of the readings there."""
        first = self.steps == 0
        if not first.any():
            return float("nan")
        return float(noise_scale(self.signals[first].mean(keepdims=True), self.noises[first].mean(keepdims=True), 0)[0])

    def along(self) -> tuple[np.ndarray, np.ndarray]:
        """The steps of the later readings, (m,), and B_simple at each, (m,); the last is at the trained weights."""
        later = self.steps > 0
        return self.steps[later], noise_scale(self.signals[later], self.noises[later], BETA)


def pooled(readings: list[NoiseReadings]) -> NoiseReadings:
    """The mean of both parts over several trainings, up to the reading that all of them have reached."""
    n = min(len(one.steps) for one in readings)
    signals = np.mean([one.signals[:n] for one in readings], axis=0)
    noises = np.mean([one.noises[:n] for one in readings], axis=0)
    return NoiseReadings(readings[0].steps[:n], signals, noises)


class NoiseWatch:
    """Reads the noise scale at a copy's weights, on batches of its own: the copy's training is not disturbed.

    The big batch's gradient is the mean of `BATCHES` small ones (as in appendix A.1, where they come from parallel
    workers), each from a pass of its own: they are independent, and the big batch takes no more memory than a small
    one. Within a pass samples come without replacement, which lowers the noise by the factor (N - B) / (N - 1): 6 % at
    B = 64 of N = 1,000. Batch norm's statistics are those of the small batches. Optimizer and clipping have no part
    in it.

    Args:
        probe: function that makes a second copy, with batches of `size` samples in an order other than the training's.
        size: number of samples in a small batch.
        notes: dict that the readings are added to, after those that it holds already.
    """

    def __init__(self, probe: Callable[[], Rehearsal], size: int, notes: dict[str, Any] | None = None) -> None:
        self._make, self._size = probe, size
        notes = {} if notes is None else notes
        self._steps: list[int] = notes.setdefault("steps", [])
        self._norms: list[Tensor] = notes.setdefault("norms", [])

    def __call__(self, step: int, trained: Rehearsal) -> None:
        """Read at the weights that `trained` has after `step` steps: several times at the start, later once."""
        probe = self._make()  # not kept: the larger sizes, which come later, need the memory
        probe.module.load_state_dict(trained.module.state_dict())
        for _ in range(1 if step else AT_START):
            self._norms.append(squared_norms(probe, len(self._norms) * BATCHES, BATCHES))
            self._steps.append(step)

    def readings(self) -> NoiseReadings:
        """All readings so far; waits for the device."""
        norms = torch.stack([norm.cpu() for norm in self._norms]).numpy() if self._norms else np.zeros((0, 2))
        signals, noises = two_batch(norms[:, 0], norms[:, 1], self._size, BATCHES * self._size)
        return NoiseReadings(np.array(self._steps, int), signals, noises)


def squared_norms(rehearsal: Rehearsal, first_pass: int, batches: int) -> Tensor:
    """Squared norm of the gradient over one batch, their mean over several, and that of the mean gradient over all.

    Args:
        rehearsal: copy whose gradients are taken; it is left with the last batch's gradient.
        first_pass: number of the first pass over the samples; each batch is the first of a pass of its own.
        batches: number of batches.

    Returns:
        float64 (2,), on the device.
    """
    small, total = [], []  # type: list[Tensor], list[Tensor]
    for number in range(first_pass, first_pass + batches):
        rehearsal.gradient(rehearsal.stream.first_step(number))
        gradients = rehearsal.gradients()
        small.append(get_total_norm(gradients).double().square())
        if total:
            for summed, gradient in zip(total, gradients, strict=True):
                summed.add_(gradient)
        else:
            total = [gradient.clone() for gradient in gradients]
    return torch.stack([torch.stack(small).mean(), get_total_norm(total).double().square() / batches**2])
