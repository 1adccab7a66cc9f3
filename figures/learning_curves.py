"""Loss and accuracy of one or several runs in the same axes, and the schedules that they followed."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from figures import as_text
from figures.legends import legend

Curves = Mapping[str, np.ndarray]

AGAINST = {"epoch": "epoch", "step": "step", "samples": "samples seen", "seconds": "seconds of training"}
SCHEDULES = {"learning rate": ("lr", "lr/0"), "batch size": ("batch_size",)}
# label -> (column of a measure, line style); training is pale, since each point is a mean over only a few steps
STYLES: dict[str, tuple[str, dict[str, Any]]] = {
    "training": ("train/{}", {"alpha": 0.3, "linewidth": 0.8}),
    "training, mean of an epoch": ("train/epoch_{}", {"linewidth": 1.4, "marker": "."}),
    "validation": ("val/{}", {"linewidth": 1.4, "linestyle": "--", "marker": "o", "markersize": 3.5}),
}


def draw(runs: Mapping[str, Curves], against: str = "epoch") -> Figure:
    """Loss and accuracy side by side; below them learning rate and batch size, where a run has logged any.

    Args:
        runs: columns of each run's metrics.csv, by the run's name; each (rows,), NaN where a row has no value.
        against: name of the column on the horizontal axis, a key of AGAINST.
    """
    schedules = [label for label, keys in SCHEDULES.items() if any(_first(run, keys) for run in runs.values())]
    figure = Figure(figsize=(10, 4 + 2.2 * bool(schedules) + 0.22 * len(runs)), layout="constrained")
    rows = figure.subplots(1 + bool(schedules), 2, squeeze=False, height_ratios=[1.7, 1][: 1 + bool(schedules)])
    colours = {name: f"C{place % 10}" for place, name in enumerate(runs)}
    for axes, measure in zip(rows[0], ("loss", "accuracy"), strict=True):
        for name, run in runs.items():
            for column, style in STYLES.values():
                _line(axes, run, against, column.format(measure), colours[name], style)
        axes.set_ylabel("accuracy, %" if measure == "accuracy" else measure)
    for axes, label in zip(rows[-1], schedules, strict=False):
        for name, run in runs.items():
            _line(axes, run, against, _first(run, SCHEDULES[label]) or "", colours[name], {"linewidth": 1.2})
        axes.set_ylabel(label)
    for axes in rows[-1][len(schedules) or 2 :]:
        axes.set_visible(False)
    for axes in rows.flat:
        axes.set_xlabel(AGAINST[against])
        axes.grid(alpha=0.3)
    _legend(figure, colours)
    return figure


def _first(run: Curves, keys: tuple[str, ...]) -> str | None:
    return next((key for key in keys if key in run), None)


def _line(axes: Axes, run: Curves, against: str, column: str, colour: str, style: dict[str, Any]) -> None:
    """A column's values where it has any; accuracies in per cent."""
    if column not in run:
        return
    there = ~np.isnan(run[column])
    percent = 100 if column.endswith("accuracy") else 1
    axes.plot(run[against][there], percent * run[column][there], color=colour, **style)


def _legend(figure: Figure, colours: Mapping[str, str]) -> None:
    """The kinds of line above, the colours of the runs below."""
    lines = [Line2D([], [], color="0.3", label=label, **style) for label, (_, style) in STYLES.items()]
    runs = [Line2D([], [], color=colour, linewidth=2, label=as_text(name)) for name, colour in colours.items()]
    legend(
        figure, "outside upper center", len(lines), size=10, named=(lines, [str(line.get_label()) for line in lines])
    )
    legend(figure, "outside lower center", 1, size=10, named=(runs, [str(line.get_label()) for line in runs]))
