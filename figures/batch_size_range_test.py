"""The figure of a batch-size range test: loss against batch size, at equal steps and at equal samples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.legends import legend

TRAIN, HELD_OUT, CHOICE, NOISE = "#1f5f99", "#d98e04", "#c0392b", "#3d7a4e"
ROOM = 2.0  # octaves beyond the sizes within which a noise scale is drawn; beyond them its value stands at the edge


@dataclass(frozen=True)
class Panel:
    """The losses of one of the two comparisons.

    Attributes:
        title: title of the panel, which says what was equal: steps or samples.
        training: training losses, (seeds, n), not finite where a size has none.
        held_out: held-out losses, (seeds, n), not finite where a size has none.
    """

    title: str
    training: np.ndarray
    held_out: np.ndarray


def draw(
    sizes: np.ndarray,
    panels: Sequence[Panel],
    unfinished: Mapping[int, str],
    noise: Mapping[str, float],
    bounds: tuple[int, int] | None,
    refusal: str | None,
    title: str,
    edges: Sequence[str] = (),
) -> Figure:
    """Side by side, the training loss and the held-out loss against the batch size, on a log-2 axis.

    Args:
        sizes: batch sizes, (n,), increasing.
        panels: losses at equal steps and at equal samples.
        unfinished: reason for each size that did not run to its end; drawn as crosses at the bottom.
        noise: gradient noise scale in samples, by the time at which it was measured; drawn as vertical lines.
        bounds: suggested (b_min, b_max), drawn shaded; None after a refusal.
        refusal: reason why there are no bounds, printed in their place.
        title: title of the figure.
        edges: what of the bounds lies at the edge of the sizes that were tried.
    """
    figure = Figure(figsize=(10, 5), layout="constrained")
    for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        _axis(axes, sizes, noise)
        if bounds is not None:
            axes.axvspan(*bounds, color=CHOICE, alpha=0.1, linewidth=0, label=r"$b_{min}$ to $b_{max}$")
        _curve(axes, sizes, panel.training, TRAIN, "o", "training")
        _curve(axes, sizes, panel.held_out, HELD_OUT, "s", "held out")
        _noise(axes, noise)
        _crosses(axes, unfinished)
        axes.set_title(panel.title, loc="left", fontsize=10)
        axes.set_xlabel("batch size")
    said = f"no suggestion: {refusal}" if bounds is None else f"suggested: from {bounds[0]:,} to {bounds[1]:,}"
    figure.suptitle("\n".join([title, "; ".join([said, *edges])]), x=0.01, ha="left", fontsize=11)
    figure.axes[0].set_ylabel("loss")
    named = figure.axes[0].get_legend_handles_labels()
    legend(figure, "outside lower center", columns=3, size=8, named=named)  # inside, it would hide some curves
    return figure


def _axis(axes: Axes, sizes: np.ndarray, noise: Mapping[str, float]) -> None:
    axes.set_xscale("log", base=2)
    near = [value for value in noise.values() if sizes[0] / 2**ROOM <= value <= sizes[-1] * 2**ROOM]
    axes.set_xlim(min([sizes[0], *near]) / 2**0.5, max([sizes[-1], *near]) * 2**0.5)
    axes.set_xticks(sizes, [f"{size}" for size in sizes], fontsize=8, rotation=45 if len(sizes) > 6 else 0)
    axes.minorticks_off()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25, linewidth=0.6)


def _curve(axes: Axes, sizes: np.ndarray, losses: np.ndarray, colour: str, marker: str, label: str) -> None:
    """Mean over the seeds, and their range if several; sizes that lack the loss of a seed are left out."""
    known = np.isfinite(losses).all(axis=0)
    if not known.any():
        return
    seen, some = sizes[known], losses[:, known]
    if len(losses) > 1:
        axes.fill_between(seen, some.min(axis=0), some.max(axis=0), color=colour, alpha=0.2, linewidth=0)
    label = label if len(losses) == 1 else f"{label}, mean and range of {len(losses)} seeds"
    axes.plot(seen, some.mean(axis=0), marker=marker, markersize=5, color=colour, linewidth=1.8, label=label)


def _noise(axes: Axes, noise: Mapping[str, float]) -> None:
    """A line for each noise scale; beyond the axis, its value and an arrow at the edge."""
    low, high = axes.get_xlim()
    styles = ("--", ":", "-.")
    for number, (when, value) in enumerate(noise.items()):
        label = f"noise scale {when}: {value:,.0f}"
        if low <= value <= high:
            axes.axvline(value, color=NOISE, linestyle=styles[number % 3], linewidth=1.4, label=label)
            continue
        left = value < low
        place: dict[str, Any] = {
            "transform": axes.transAxes,
            "ha": "left" if left else "right",
            "fontsize": 8,
            "color": NOISE,
        }
        axes.text(0.01 if left else 0.99, 1 - 0.06 * (number + 1), f"← {label}" if left else f"{label} →", **place)


def _crosses(axes: Axes, unfinished: Mapping[int, str]) -> None:
    for size, reason in unfinished.items():
        axes.plot(size, 0.02, "x", color=CHOICE, transform=axes.get_xaxis_transform(), clip_on=False)
        place: dict[str, Any] = {
            "transform": axes.get_xaxis_transform(),
            "rotation": 90,
            "fontsize": 7.5,
            "color": CHOICE,
        }
        axes.text(size, 0.06, reason, ha="center", va="bottom", **place)
