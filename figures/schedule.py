"""What a run's policies will do: learning rate, batch size and SGD noise scale over its steps."""

from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

POINTS = 5000  # most points of a drawn line: more than the figure has pixels across


def schedule_figure(
    steps: np.ndarray, epochs: np.ndarray, lr: np.ndarray, batch_size: np.ndarray, noise_scale: np.ndarray
) -> Figure:
    """Three panels over one axis, in epochs below and in steps above.

    Args:
        steps: numbers of the steps to draw, ascending, shape (n,).
        epochs: number of passes over the training set before each step, shape (n,).
        lr: learning rate of each step, for a parameter group with ratio 1, shape (n,).
        batch_size: number of samples in each step, over all processes, shape (n,).
        noise_scale: lr N / B of each step, shape (n,).
    """
    figure = Figure(figsize=(7, 6.5), layout="constrained")
    panels = figure.subplots(3, 1, sharex=True)
    rows = (("learning rate", lr, "C0"), ("batch size", batch_size, "C1"), ("noise scale lr N / B", noise_scale, "C2"))
    for axes, (label, values, colour) in zip(panels, rows, strict=True):
        _line(axes, epochs, values, colour)
        axes.set_ylabel(label)
        axes.grid(alpha=0.3)
    panels[-1].set_xlabel("epoch")
    if epochs[-1] > epochs[0]:
        panels[0].set_xlim(epochs[0], epochs[-1])
        _steps_above(panels[0], steps, epochs)
    figure.align_ylabels(panels)
    return figure


def kept(values: np.ndarray, most: int = POINTS) -> np.ndarray:
    """Indices of at most `most` values, ascending: the first, the last, and the extremes of each section between."""
    if len(values) <= most:
        return np.arange(len(values))
    edges = np.linspace(0, len(values), most // 2, dtype=int)
    places = [0, len(values) - 1]
    for start, stop in pairwise(edges):
        places += [start + int(values[start:stop].argmin()), start + int(values[start:stop].argmax())]
    return np.unique(places)


def _line(axes: Axes, epochs: np.ndarray, values: np.ndarray, colour: str) -> None:
    places = kept(values)
    axes.plot(epochs[places], values[places], color=colour, linewidth=1.2, marker="o" if len(places) == 1 else "")
    if values.min() == values.max() > 0:  # a flat line in the middle of the panel
        axes.set_ylim(0, 2 * float(values[0]))


def _steps_above(axes: Axes, steps: np.ndarray, epochs: np.ndarray) -> None:
    """Ticks at round step numbers; they are unevenly spaced where the batch size changes."""

    def to_steps(values: Any) -> Any:
        return np.interp(values, epochs, steps)

    def to_epochs(values: Any) -> Any:
        return np.interp(values, steps, epochs)

    above = axes.secondary_xaxis("top", functions=(to_steps, to_epochs))
    above.set_xlabel("step")
    ticks = MaxNLocator(nbins=8, integer=True).tick_values(steps[0], steps[-1])
    above.set_xticks([tick for tick in ticks if steps[0] <= tick <= steps[-1]])
