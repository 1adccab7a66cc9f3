"""The figure of the gradient check draws what it is given."""

from pathlib import Path

import numpy as np

from figures.gradient_check import gradient_check_figure

NS = np.array([1, 10, 100, 1000])
DOUBLE, SINGLE = np.array([1e-2, 1e-4, 1e-6, 0.0]), np.array([1e-2, 1e-3, 1e-2, 1e-1])


def test_draws_both_precisions_and_the_theory(tmp_path: Path) -> None:
    figure = gradient_check_figure(NS, DOUBLE, SINGLE, np.array([True, False, False, False]), (5e3, 2e2))
    (axes,) = figure.axes
    assert axes.get_xscale() == axes.get_yscale() == "log"
    lines = {line.get_label(): line for line in axes.lines}
    assert np.array_equal(lines["float32"].get_ydata(), [np.nan, *SINGLE[1:]], equal_nan=True)
    assert np.array_equal(lines["float64"].get_ydata(), [np.nan, 1e-4, 1e-6, np.nan], equal_nan=True)
    assert lines["float64, best by theory, 5,000"].get_xdata()[0] == 5e3
    assert lines["float32, best by theory, 200"].get_xdata()[0] == 2e2
    assert "a kink within the step" in lines
    figure.savefig(tmp_path / "figure.png")


def test_says_so_where_there_is_nothing_to_draw(tmp_path: Path) -> None:
    figure = gradient_check_figure(NS, np.zeros(4), np.zeros(4), np.zeros(4, bool), (5e3, 2e2))
    (axes,) = figure.axes
    assert "no weight changes the loss" in axes.texts[0].get_text()
    assert "a kink within the step" not in {line.get_label() for line in axes.lines}
    figure.savefig(tmp_path / "figure.png")
