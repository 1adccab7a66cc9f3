"""Accuracy against a fixed learning rate, a panel for each optimizer, with the rates that a range test suggested."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

GRID, CHOICE = "#1f5f99", "#c0392b"
COLUMNS = 4


@dataclass(frozen=True)
class Panel:
    """The grid and the suggestions of one optimizer.

    Attributes:
        title: name of the optimizer.
        rates: learning rates of the grid, (n,), increasing.
        accuracies: accuracy at each rate of the grid, in per cent, (seeds, n).
        suggested: suggested learning rates, (k,); k is 0 where every test refused.
        reached: accuracy at each suggested rate, in per cent, (k,).
    """

    title: str
    rates: np.ndarray
    accuracies: np.ndarray
    suggested: np.ndarray
    reached: np.ndarray


def draw(panels: Sequence[Panel]) -> Figure:
    """Small multiples, four a row, on common axes: the grid's mean and range over seeds, and each suggestion."""
    rows = -(-len(panels) // COLUMNS)
    figure = Figure(figsize=(11, 0.8 + 2.5 * rows), layout="constrained")
    grid = figure.subplots(rows, COLUMNS, sharex=True, sharey=True, squeeze=False)
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    for axes, panel in zip(grid.flat, panels, strict=False):
        _panel(axes, panel)
    for axes in grid[:, 0]:
        axes.set_ylabel("held-out accuracy, %")
    figure.supxlabel("learning rate", fontsize=10)
    handles: dict[str, Artist] = {}
    for axes in grid.flat[: len(panels)]:  # the first may have no suggestion, and so no mark
        handles |= {label: handle for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(list(handles.values()), list(handles), frameon=False, loc="outside upper left", ncols=3, fontsize=9)
    return figure


def _panel(axes: Axes, panel: Panel) -> None:
    axes.set_xscale("log")
    axes.set_ylim(0, 101)
    low, high = panel.accuracies.min(axis=0), panel.accuracies.max(axis=0)
    axes.fill_between(panel.rates, low, high, color=GRID, alpha=0.2, linewidth=0, label="lowest to highest seed")
    label = f"grid, mean of {len(panel.accuracies)} seeds"
    axes.plot(panel.rates, panel.accuracies.mean(axis=0), "o-", color=GRID, markersize=3, linewidth=1.5, label=label)
    for rate in panel.suggested:
        axes.axvline(rate, color=CHOICE, linewidth=0.8, alpha=0.6)
    if len(panel.suggested):
        axes.plot(
            panel.suggested, panel.reached, "D", color=CHOICE, markersize=4.5, label="suggested rate, a seed each"
        )
    axes.set_title(panel.title, loc="left", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25, linewidth=0.6)
