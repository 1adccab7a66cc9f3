"""Curves of groups of runs: the mean over the seeds of each, and a band of their spread."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from figures import as_text
from figures.legends import legend
from figures.style import BAND, looks, plain


@dataclass(frozen=True)
class Curve:
    """One group's values along an axis.

    Attributes:
        x: places on the horizontal axis, (n,).
        values: value of each seed there, (seeds, n).
        key: values that tell the group apart from the others, by which its look is chosen; its name if empty.
    """

    x: np.ndarray
    values: np.ndarray
    key: tuple[Any, ...] = ()


def draw(
    groups: Mapping[str, Curve],
    x: str,
    y: str,
    *,
    published: Mapping[str, Curve] | None = None,
    log_x: bool = False,
    log_y: bool = False,
    points: bool = False,
    band: str = "range",
) -> Figure:
    """All groups in one pair of axes, and what was published for a group dashed in its colour.

    Args:
        groups: curves by the name of their group.
        x: label of the horizontal axis, with its unit.
        y: label of the vertical axis, with its unit.
        published: published curves, by the name of the group.
        log_x: whether the horizontal axis is logarithmic.
        log_y: whether the vertical axis is logarithmic.
        points: whether to mark each place, for curves of few places.
        band: `range` of the seeds, or `deviation`: a standard deviation to both sides of the mean.
    """
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.subplots()
    chosen = looks([curve.key or (name,) for name, curve in groups.items()])
    for look, (name, curve) in zip(chosen, groups.items(), strict=True):
        style: dict[str, Any] = {"marker": look.marker, "markersize": 4.5} if points else {}
        style |= {"color": look.colour, "linestyle": look.dash, "linewidth": 1.6}
        count = len(curve.values)
        label = as_text(name if count == 1 else f"{name} (n = {count})")
        axes.plot(curve.x, curve.values.mean(axis=0), label=label, **style)
        if count > 1:
            axes.fill_between(curve.x, *_band(curve.values, band), color=look.colour, alpha=BAND, linewidth=0)
        if published and name in published:
            printed = published[name]
            thin: dict[str, Any] = {"color": look.colour, "linewidth": 1.1, "linestyle": (0, (4, 2)), "alpha": 0.9}
            axes.plot(printed.x, printed.values.mean(axis=0), label=as_text(f"{name}, published"), **thin)
    if log_x:
        axes.set_xscale("log")
        _ticks(axes, sorted({float(place) for curve in groups.values() for place in curve.x}))
    elif all(
        float(place).is_integer() or float(place + 0.5).is_integer() for one in groups.values() for place in one.x
    ):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if log_y:
        axes.set_yscale("log")
    else:
        _unsquashed(axes, [curve.values for curve in groups.values()])
    plain(axes, x, y)
    if groups:
        legend(figure, "outside lower center", columns=2)
    else:
        axes.text(0.5, 0.5, "no cell came far enough for a point", ha="center", transform=axes.transAxes)
    return figure


def _ticks(axes: Axes, places: Sequence[float]) -> None:
    """Name the places of a grid themselves, where they are few."""
    if 0 < len(places) <= 8:
        axes.set_xticks(places, [f"{place:g}" for place in places])
        axes.xaxis.set_minor_locator(NullLocator())


def _band(values: np.ndarray, kind: str) -> tuple[np.ndarray, np.ndarray]:
    if kind == "range":
        return values.min(axis=0), values.max(axis=0)
    mean, deviation = values.mean(axis=0), values.std(axis=0, ddof=1)
    return mean - deviation, mean + deviation


def _unsquashed(axes: Axes, values: Sequence[np.ndarray]) -> None:
    """Cut the axis off above what most values reach, where a few first steps would squash all others."""
    together = np.concatenate([part[np.isfinite(part)].ravel() for part in values]) if values else np.zeros(0)
    if len(together) < 20:
        return
    low, most, high = together.min(), np.quantile(together, 0.97), together.max()
    if high - low > 3 * (most - low) > 0:
        axes.set_ylim(low - 0.05 * (most - low), most + 0.15 * (most - low))
