"""`Cycle` against Smith's formula written out, against torch's CyclicLR, and its own laws."""

import math

import numpy as np
import pytest
import torch

from timeline.position import Position, counted
from timeline.schedules import Cycle

STEPS = 10_000
EXPONENTIAL = ("exp_range", "exp_range_bounds", "exp_growth")
MODES = ("triangular", "triangular2", *EXPONENTIAL)


def slow(lower: float, upper: float, s: float, mode: str, gamma: float, t: float) -> float:
    """Walk up and down half-cycle by half-cycle, as one would with a pencil."""
    halves = 0
    while (halves + 1) * s <= t:
        halves += 1
    share = (t - halves * s) / s
    height = share if halves % 2 == 0 else 1 - share
    if mode == "triangular":
        return lower + (upper - lower) * height
    if mode == "triangular2":
        return lower + (upper - lower) * height * 0.5 ** (halves // 2)
    decay = math.exp(t * math.log(gamma))
    if mode == "exp_range":
        return lower + (upper - lower) * height * decay
    if mode == "exp_range_bounds":
        return lower * decay + (upper * decay - lower * decay) * height
    return upper - (upper - lower) * decay + (upper - lower) * decay * height


def cycle(mode: str, half_cycle: float = 7.0, gamma: float = 0.9997) -> Cycle:
    return Cycle(1e-4, 1e-2, half_cycle, mode, gamma if mode in EXPONENTIAL else 1.0)  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("half_cycle", [1, 7, 123, 2.5])
def test_equals_the_slow_version(mode: str, half_cycle: float) -> None:
    c = cycle(mode, half_cycle)
    for t in [*range(400), 9_999, 0.25, 3.75, 100.125]:
        assert c(t) == pytest.approx(slow(c.lower, c.upper, half_cycle, mode, c.gamma, t), rel=0, abs=1e-14)


@pytest.mark.parametrize("mode", ["triangular", "triangular2", "exp_range"])
@pytest.mark.parametrize("half_cycle", [20, 250, 777])  # torch's triangular2 overflows after 1,024 cycles
def test_equals_torch(mode: str, half_cycle: int) -> None:
    c = cycle(mode, half_cycle)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = torch.optim.lr_scheduler.CyclicLR(
        optimizer, c.lower, c.upper, half_cycle, mode=mode, gamma=c.gamma, cycle_momentum=False
    )
    worst = 0.0
    for t in range(STEPS):
        worst = max(worst, abs(optimizer.param_groups[0]["lr"] - c(t)))
        optimizer.step()
        scheduler.step()
    assert worst < 1e-12


@pytest.mark.parametrize("mode", MODES)
def test_arrays_are_the_numbers_one_by_one(mode: str) -> None:
    c, t = cycle(mode), np.linspace(0, 500, 1001).reshape(7, -1)
    together = c(t)
    assert together.shape == t.shape and together.dtype == np.float64
    np.testing.assert_allclose(together.ravel(), [c(float(one)) for one in t.ravel()], rtol=1e-12, atol=0)
    assert type(c(3)) is float


@pytest.mark.parametrize("mode", MODES)
def test_begins_at_the_bottom_and_stays_within(mode: str) -> None:
    c = cycle(mode)
    values = c(np.arange(0, 5000, 0.37))
    assert c(0) == c.lower
    assert values.max() <= c.upper + 1e-16
    assert values.min() >= (0 if mode == "exp_range_bounds" else c.lower - 1e-16)


def test_what_decays() -> None:
    s, far = 7.0, 40 * 7.0
    assert cycle("triangular")(far + s) == pytest.approx(1e-2, rel=1e-12)
    assert cycle("triangular2")(3 * s) == pytest.approx(1e-4 + (1e-2 - 1e-4) / 2, rel=1e-12)
    amplitude, both, growth = (cycle(mode, gamma=0.99) for mode in EXPONENTIAL)
    assert amplitude(far) == pytest.approx(1e-4) and amplitude(far + s) < 2e-3
    assert both(far) == pytest.approx(1e-4 * 0.99**far) and both(far + s) == pytest.approx(1e-2 * 0.99 ** (far + s))
    assert growth(far + s) == pytest.approx(1e-2) and growth(far) == pytest.approx(1e-2 - 9.9e-3 * 0.99**far)
    assert growth(4000 * s) == pytest.approx(1e-2, rel=1e-12)


def test_growth_mirrors_the_decay() -> None:
    """Turned upside down and begun half a cycle apart in phase, one is the other."""
    growth, decay, t = cycle("exp_growth"), cycle("exp_range"), np.arange(1000.0)
    below_the_top = growth.upper - growth(t)
    up = (decay(t) - decay.lower) / decay.gamma**t
    np.testing.assert_allclose(below_the_top / growth.gamma**t + up, growth.upper - growth.lower, rtol=1e-9)


def test_far_cycles_neither_overflow_nor_fall_below() -> None:
    assert Cycle(0.0, 1.0, 1, "triangular2")(1e9 + 0.5) == 0
    assert Cycle(0.0, 1.0, 1)(float(np.nextafter(4, 0))) >= 0  # 1 + t / 2 rounds up to the next cycle, t does not


def test_a_flat_cycle_is_constant() -> None:
    assert set(Cycle(0.1, 0.1, 3)(np.arange(10.0))) == {0.1}


def test_counted() -> None:
    position = Position(step=12, samples=700, epochs=0.7)
    assert [counted(position, unit) for unit in ("steps", "epochs", "samples")] == [12.0, 0.7, 700.0]  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="unit must be one of steps, epochs, samples, got 'hours'"):
        counted(position, "hours")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("lower", {"lower": -1e-3}),
        ("lower", {"lower": math.nan}),
        ("lower", {"lower": 2.0}),
        ("upper", {"upper": math.inf}),
        ("half_cycle", {"half_cycle": 0}),
        ("half_cycle", {"half_cycle": math.nan}),
        ("mode", {"mode": "square"}),
        ("gamma", {"mode": "exp_range", "gamma": 0}),
        ("gamma", {"mode": "exp_range", "gamma": 1.01}),
        ("gamma", {"mode": "triangular", "gamma": 0.9}),
        ("gamma", {"mode": "triangular2", "gamma": 0.9}),
    ],
)
def test_refuses(field: str, change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=rf"^{field} .*: [^:]+$"):
        Cycle(**{"lower": 1e-3, "upper": 1.0, "half_cycle": 5, **change})  # type: ignore[arg-type]
