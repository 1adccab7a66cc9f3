"""The largest difference between central differences and autograd's gradient, against N."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.legends import legend

DOUBLE, SINGLE = "#1f5f99", "#c0392b"


def gradient_check_figure(
    ns: np.ndarray, double: np.ndarray, single: np.ndarray, kinked: np.ndarray, best: tuple[float, float]
) -> Figure:
    """Both precisions on logarithmic axes; hollow: a kink lies within the step; dashed: the best N by theory.

    Args:
        ns: N of each step 1/N, (n,).
        double: largest absolute difference in float64, (n,); zeros are left out, as the axis is logarithmic.
        single: largest absolute difference in float32, (n,).
        kinked: whether a kink lies within the step of any weight, (n,).
        best: best N by theory, in float64 and in float32.
    """
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.set_xscale("log")
    axes.set_yscale("log")
    _line(axes, "float64", ns, double, DOUBLE, kinked)
    _line(axes, "float32", ns, single, SINGLE, kinked)
    if kinked.any():
        axes.plot([], [], "o", color="black", markerfacecolor="white", markersize=5, label="a kink within the step")
    for label, colour, theory in (("float64", DOUBLE, best[0]), ("float32", SINGLE, best[1])):
        axes.axvline(theory, color=colour, linestyle="--", linewidth=1, label=f"{label}, best by theory, {theory:,.0f}")
    if not (double.any() or single.any()):
        axes.text(0.5, 0.5, "no weight changes the loss: every difference is 0", ha="center", transform=axes.transAxes)
    axes.set_xlabel("N, of a step of 1/N")
    axes.set_ylabel("largest |central difference - autograd|")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25, linewidth=0.6)
    legend(figure, "outside upper left", columns=2)
    return figure


def _line(axes: Axes, label: str, ns: np.ndarray, values: np.ndarray, colour: str, kinked: np.ndarray) -> None:
    drawn = np.where(values > 0, values, np.nan)
    axes.plot(ns, drawn, "-", color=colour, linewidth=1.3)
    whole = np.where(kinked, np.nan, drawn)
    axes.plot(ns, whole, "o-", color=colour, linewidth=1.3, markersize=4.5, label=label)
    hollow = np.where(kinked, drawn, np.nan)
    axes.plot(ns, hollow, "o", color=colour, markerfacecolor="white", markersize=4.5)
