"""Curves of loss against learning rate whose steepest point is known, and what the rules of range tests say of them.

A curve is a sigmoid in log10 lr that falls from 2.3 to 0.5 with its steepest point at TARGET, plus noise (normal, one
draw a step), plus a divergence that is exactly zero up to some rate and rises with the square of the decades beyond it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

TARGET = 1e-2
RAW, STOCK = "Lightning's finder, raw losses", "Lightning's finder, its smoothing"
Answers = Sequence[tuple[float, float] | None]


@dataclass(frozen=True)
class Shape:
    """One family of curves.

    Attributes:
        width: width of the sigmoid in decades; it falls from nine to one tenth within 4.4 widths.
        diverges: rate above which the loss rises.
        noise: standard deviation of a loss.
        steps: number of rates.
        lowest: first rate; the last one is 10.
    """

    width: float = 0.25
    diverges: float = 0.3
    noise: float = 0.05
    steps: int = 400
    lowest: float = 1e-7

    def lrs(self) -> np.ndarray:
        """The rates, exponentially spaced, (steps,)."""
        return np.geomspace(self.lowest, 10, self.steps)

    def losses(self, seed: int) -> np.ndarray:
        """This seed's losses, (steps,)."""
        x = np.log10(self.lrs())
        fall = 1 / (1 + np.exp(-(x - np.log10(TARGET)) / self.width))
        beyond = np.maximum(x - np.log10(self.diverges), 0)
        return 2.3 - 1.8 * fall + 20 * beyond**2 + self.noise * np.random.default_rng(seed).standard_normal(self.steps)


SHAPES = {
    "usual": Shape(),
    "narrow fall": Shape(width=0.1),
    "wide fall": Shape(width=0.5, diverges=3),
    "early divergence": Shape(diverges=0.05),
    "late divergence": Shape(diverges=3),
    "no divergence": Shape(diverges=10),
    "four times the noise": Shape(noise=0.2),
    "100 steps": Shape(steps=100),
    "10 rates": Shape(steps=10, lowest=1e-9),
}


@cache
def answers(curve: str, seeds: int) -> Mapping[str, Answers]:
    """(low, high) of each rule for each seed's losses, both the same for a point; None where it gives no answer.

    Args:
        curve: name of the shape.
        seeds: number of seeds.
    """
    from callbacks.range_tests.lr_rules import RULES
    from trainer.stock_finder import stock_suggestion

    shape = SHAPES[curve]
    lrs = shape.lrs()
    found: dict[str, list[tuple[float, float] | None]] = {
        name: [] for name in (*(one.name for one in RULES), RAW, STOCK)
    }
    for seed in range(seeds):
        losses = shape.losses(seed)
        for rule in RULES:
            found[rule.name].append(rule(lrs, losses))
        for name, smoothed in ((RAW, False), (STOCK, True)):
            lr = stock_suggestion(lrs, losses, smoothed)
            found[name].append(None if lr is None else (lr, lr))
    return found


def given(found: Answers) -> np.ndarray:
    """The answers that there are, (n, 2)."""
    return np.array([one for one in found if one is not None]).reshape(-1, 2)


def off(found: Answers) -> np.ndarray:
    """Decades from the steepest point to each point that was answered, (n,)."""
    return np.log10(given(found)[:, 0] / TARGET)


def around(found: Answers) -> int:
    """How many of the bounds that were answered hold the steepest point between them."""
    low, high = given(found).T
    return int(np.sum((low < TARGET) & (high > TARGET)))


def known_point(rule: str, within: float, curves: Sequence[str] | None = None, seeds: int = 200) -> tuple[bool, str]:
    """Whether the median of a rule's answers lies within some decades of the steepest point, on each of the curves.

    Args:
        rule: name of the rule.
        within: decades.
        curves: names of the shapes, all by default.
        seeds: number of seeds.

    Raises:
        ValueError: there is no such curve or rule.
    """
    medians = {}
    for curve in _named(curves):
        if rule not in (known := answers(curve, seeds)):
            raise ValueError(f"claims: known_point: rule: {rule} is none of {', '.join(known)}")
        medians[curve] = float(np.median(found)) if len(found := off(known[rule])) else None
    shown = ", ".join(f"{curve} {'no answer' if one is None else f'{one:+.2f}'}" for curve, one in medians.items())
    good = all(one is not None and abs(one) <= within for one in medians.values())
    return good, f"decades off in the median of {seeds} seeds, {within:g} allowed: {shown}"


def known_bounds(curves: Sequence[str] | None = None, seeds: int = 200) -> tuple[bool, str]:
    """Whether the bounds hold the steepest point between them for every seed, on each of the curves.

    Args:
        curves: names of the shapes, all by default.
        seeds: number of seeds.

    Raises:
        ValueError: there is no such curve.
    """
    counts = {curve: around(answers(curve, seeds)["bounds"]) for curve in _named(curves)}
    return all(count == seeds for count in counts.values()), (
        f"of {seeds} seeds each: {', '.join(f'{curve} {count}' for curve, count in counts.items())}"
    )


def _named(curves: Sequence[str] | None) -> Sequence[str]:
    if unknown := [curve for curve in curves or () if curve not in SHAPES]:
        raise ValueError(f"claims: curves: {unknown[0]} is none of {', '.join(SHAPES)}")
    return list(SHAPES) if curves is None else curves
