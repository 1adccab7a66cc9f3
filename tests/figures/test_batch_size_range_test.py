"""The batch finder's figures: what is drawn is what was given, and the block diagram's words stay in their boxes."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Polygon

from docs.batch_size_algorithm import BOXES
from docs.batch_size_algorithm import draw as draw_algorithm
from figures.batch_size_range_test import Panel, draw

SIZES = np.array([16, 32, 64, 128])
LOSSES = np.array([[2.0, 1.0, 0.6, np.nan], [2.2, 1.2, 0.8, 0.5]])


def figure(**changes: object) -> Figure:
    panels = [Panel("steps", LOSSES, LOSSES + 1), Panel("samples", LOSSES[::-1] - 0.5, LOSSES * np.nan)]
    given = {"unfinished": {128: "out of memory"}, "noise": {"at the start": 40.0, "after training": 5000.0}}
    settings = given | {"bounds": (32, 64), "refusal": None, "title": "Test"} | changes
    return draw(SIZES, panels, **settings)


def said(axes: Axes) -> str:
    named = [text for legend in axes.get_figure().legends for text in legend.get_texts()]
    return "\n".join(text.get_text() for text in [*axes.texts, *named])


def test_draws_the_mean_of_the_seeds_where_all_have_a_loss() -> None:
    steps, samples = figure().axes
    training = steps.lines[0]
    assert training.get_xdata().tolist() == [16, 32, 64]
    assert training.get_ydata() == pytest.approx([2.1, 1.1, 0.7])
    assert steps.lines[1].get_ydata() == pytest.approx([3.1, 2.1, 1.7])
    assert samples.lines[0].get_ydata() == pytest.approx([1.6, 0.6, 0.2])
    assert steps.get_xscale() == "log" and [axes.get_title(loc="left") for axes in (steps, samples)] == [
        "steps",
        "samples",
    ]


def test_the_noise_scale_is_a_line_or_named_at_the_edge() -> None:
    steps = figure().axes[0]
    assert [40.0, 40.0] in [list(line.get_xdata()) for line in steps.lines]
    assert "noise scale at the start: 40" in said(steps) and "noise scale after training: 5,000 →" in said(steps)
    assert steps.get_xlim()[1] < 5000
    assert "← noise scale at the start: 1" in said(figure(noise={"at the start": 1.0}).axes[0])


def test_sizes_that_did_not_run_and_the_answer_are_marked() -> None:
    suggested = figure()
    crosses = [line for line in suggested.axes[1].lines if line.get_marker() == "x"]
    assert [list(line.get_xdata()) for line in crosses] == [[128]]
    assert "out of memory" in said(suggested.axes[1])
    assert "from 32 to 64" in suggested.get_suptitle()
    refused = figure(bounds=None, refusal="both curves are flat")
    assert "no suggestion: both curves are flat" in refused.get_suptitle()
    assert len(refused.axes[0].patches) == len(suggested.axes[0].patches) - 1


def test_the_legend_is_within_the_figure_and_over_no_curve() -> None:
    drawn = figure()
    drawn.draw_without_rendering()
    legend = drawn.legends[0].get_window_extent()
    assert drawn.bbox.x0 <= legend.x0 and legend.x1 <= drawn.bbox.x1 and drawn.bbox.y0 <= legend.y0
    assert all(legend.y1 < axes.get_tightbbox().y0 for axes in drawn.axes)


@pytest.mark.parametrize("seeds", [1, 2])
def test_is_drawn_whatever_is_missing(tmp_path: Path, seeds: int) -> None:
    nothing = np.full((seeds, 4), np.nan)
    empty = draw(SIZES, [Panel("a", nothing, nothing)], {16: "non-finite"}, {}, None, "nothing ran", "Test")
    empty.savefig(tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 5000


def test_the_diagrams_words_stay_in_their_boxes() -> None:
    diagram = draw_algorithm()
    diagram.draw_without_rendering()
    axes = diagram.axes[0]
    shapes = [patch for patch in axes.patches if isinstance(patch, (FancyBboxPatch, Polygon))]
    words = {text.get_position(): text for text in axes.texts if text.get_text()}
    for text, *_ in BOXES:
        assert any(text == there.get_text() for there in words.values())
    for shape in shapes:
        box = shape.get_window_extent()
        middle = axes.transData.inverted().transform(((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2))
        place = min(words, key=lambda at: np.hypot(at[0] - middle[0], at[1] - middle[1]))
        extent = words[place].get_window_extent()
        corners = [(x, y) for x in (extent.x0, extent.x1) for y in (extent.y0, extent.y1)]
        if isinstance(shape, Polygon):  # a diamond's words get longer towards its middle
            x, y = (extent.x0 + extent.x1) / 2, (extent.y0 + extent.y1) / 2
            corners = [(extent.x0, y), (extent.x1, y), (x, extent.y0), (x, extent.y1)]
        path = shape.get_transform().transform_path(shape.get_path())
        assert path.contains_points(corners).all(), words[place].get_text()
