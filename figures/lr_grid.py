"""Accuracy against a fixed learning rate, a panel for each optimizer, with the rates that a range test suggested."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import as_text
from figures.legends import legend
from figures.style import BAND, colour, plain

COLUMNS = 3  # at a paper's column, names still fit above their panels


@dataclass(frozen=True)
class Panel:
    """The grid and the suggestions of one optimizer.

    Attributes:
        title: name of the optimizer.
        rates: learning rates of the grid, (n,), increasing.
        accuracies: accuracy at each rate of the grid, in per cent, (seeds, n); NaN where a seed has none.
        suggested: suggested learning rates, (k,); k is 0 where every test refused.
        reached: accuracy at each suggested rate, in per cent, (k,).
    """

    title: str
    rates: np.ndarray
    accuracies: np.ndarray
    suggested: np.ndarray
    reached: np.ndarray


def draw(panels: Sequence[Panel], y: str = "held-out accuracy, %") -> Figure:
    """Small multiples, three a row, on common axes: the grid's mean and range over seeds, and each suggestion.

    Args:
        panels: one for each optimizer.
        y: label of the vertical axes.
    """
    columns = min(COLUMNS, max(len(panels), 1))
    rows = -(-max(len(panels), 1) // columns)
    figure = Figure(figsize=(1.4 + 2.2 * columns, 1.1 + 2.1 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    for axes, panel in zip(grid.flat, panels, strict=False):
        _panel(axes, panel)
    for axes in grid.flat[max(len(panels) - columns, 0) : len(panels)]:
        axes.tick_params(labelbottom=True)  # the last of its column, above an empty place too
    figure.supylabel(y, fontsize=10)
    figure.supxlabel("learning rate", fontsize=10)
    legend(figure, "outside upper center", columns=2)
    return figure


def _panel(axes: Axes, panel: Panel) -> None:
    axes.set_xscale("log")
    axes.set_ylim(0, 101)
    plain(axes, "", "")
    axes.set_title(as_text(panel.title), loc="left", fontsize=10)
    if len(panel.rates):
        low, middle, high = (part(panel.accuracies, axis=0) for part in (np.nanmin, np.nanmean, np.nanmax))
        label = f"grid, mean of {len(panel.accuracies)} seeds"
        axes.fill_between(panel.rates, low, high, color=colour(0), alpha=BAND, linewidth=0, label="range of the seeds")
        axes.plot(panel.rates, middle, "o-", color=colour(0), markersize=3, linewidth=1.6, label=label)
    for rate in panel.suggested:
        axes.axvline(rate, color=colour(1), linewidth=0.8, alpha=0.6)
    if len(panel.suggested):
        axes.plot(panel.suggested, panel.reached, "D", color=colour(1), markersize=4.5, label="suggested rates")
