"""The figure of finders has a row for each, and a mark for each problem."""

from figures.finders import draw


def test_a_row_for_each_finder_and_a_mark_for_each_problem() -> None:
    (axes,) = draw({"raced": [0.5, 1.5], "Lightning": [60.0, 40.0]}, ["raced"]).axes
    zero, *lines = axes.lines
    assert zero.get_xdata()[0] == 0
    assert [list(line.get_xdata()) for line in lines] == [[0.5, 1.5], [1.0], [60.0, 40.0], [50.0]]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["raced", "Lightning"]
    assert lines[0].get_color() != lines[2].get_color() and axes.get_ylim()[0] > axes.get_ylim()[1]
