"""The figure of the finder against the grid draws what it is given."""

from pathlib import Path

import numpy as np

from figures.lr_grid import Panel, draw

RATES = np.geomspace(1e-4, 10, 11)
ACCURACIES = 50 + np.outer([0, 5, 10], np.sin(np.arange(11)))


def panel(name: str, suggested: list[float]) -> Panel:
    return Panel(name, RATES, ACCURACIES, np.array(suggested), np.full(len(suggested), 60.0))


def test_draws_mean_range_and_suggestions() -> None:
    refused, told = draw([panel("SGD", []), panel("Adam", [0.01, 0.02])]).axes[:2]
    assert [axes.get_title(loc="left") for axes in (refused, told)] == ["SGD", "Adam"]
    assert np.array_equal(told.lines[0].get_xdata(), RATES)
    assert np.allclose(told.lines[0].get_ydata(), ACCURACIES.mean(axis=0))
    edge = told.collections[0].get_paths()[0].vertices
    assert np.isclose(edge[:, 1].max(), ACCURACIES.max()) and np.isclose(edge[:, 1].min(), ACCURACIES.min())
    assert [line.get_xdata()[0] for line in told.lines[1:3]] == [0.01, 0.02]
    assert np.array_equal(told.lines[3].get_xdata(), [0.01, 0.02])
    assert len(refused.lines) == 1


def test_eight_optimizers_in_rows_of_three(tmp_path: Path) -> None:
    figure = draw([panel(str(number), [0.1]) for number in range(8)])
    figure.savefig(tmp_path / "grid.png")
    assert [axes.get_subplotspec().rowspan.start for axes in figure.axes] == [0] * 3 + [1] * 3 + [2] * 3
    assert not any(axes.get_visible() for axes in draw([panel("one", [])]).axes[1:])
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["range of the seeds", "grid, mean of 3 seeds", "suggested rates"]
