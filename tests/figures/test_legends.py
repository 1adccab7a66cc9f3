"""Legends have as many columns as there is room for, and never reach beyond the figure."""

import pytest
from matplotlib.figure import Figure
from matplotlib.legend import Legend

from figures.legends import legend
from figures.style import COLUMN, POINTS, to_column

SHORT = ["one", "two", "three", "four"]
LONG = ["a cyclical batch size whose bounds were found (n = 3)", "a cyclical rate whose bounds were found (n = 3)"]
LONGEST = [f"{'a policy that has a long name ' * 6}{number}" for number in range(2)]


def drawn(labels: list[str], columns: int = 2) -> Figure:
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.subplots()
    for label in labels:
        axes.plot([0, 1], label=label)
    legend(figure, "outside lower center", columns)
    return figure


def rows(one: Legend) -> int:
    """Number of heights at which its texts stand."""
    figure = one.get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()
    return len({round(text.get_window_extent().y0) for text in one.get_texts()})


@pytest.mark.parametrize(("labels", "columns", "lines"), [(SHORT, 2, 2), (SHORT, 4, 1), (LONG, 2, 2), (LONGEST, 2, 2)])
@pytest.mark.parametrize("printed", [False, True])
def test_a_legend_lies_within_its_figure(labels: list[str], columns: int, lines: int, printed: bool) -> None:
    """Seen to fail with a fixed number of columns."""
    figure = drawn(labels, columns)
    if printed:
        to_column(figure)
        assert figure.get_figwidth() == COLUMN
    (one,) = figure.legends
    assert rows(one) == (2 if printed and labels == SHORT else lines)
    extent = one.get_window_extent()
    assert extent.x0 >= 0 and extent.x1 <= figure.bbox.width
    assert [text.get_text().replace("\n", " ") for text in one.get_texts()] == [label.strip() for label in labels]
    assert {text.get_fontsize() for text in one.get_texts()} == {POINTS if printed else 9}


def test_nothing_drawn_has_no_legend() -> None:
    assert not drawn([]).legends
