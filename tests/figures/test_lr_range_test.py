import io

import numpy as np
import pytest
from matplotlib.figure import Figure

from callbacks.range_tests.lr_consensus import consensus
from callbacks.range_tests.lr_curve import curve
from callbacks.range_tests.lr_rules import RULES, Rule
from figures.lr_range_test import draw


def losses_of(lrs: np.ndarray, seed: int, fall: float = 1.8) -> np.ndarray:
    x = np.log10(lrs)
    level = 2.3 - fall / (1 + np.exp(-(x + 2) / 0.25)) + 1e6 * np.maximum(x, 0) ** 2
    return level + 0.05 * np.random.default_rng(seed).standard_normal(len(lrs))


def drawn(lrs: np.ndarray, raw: list[np.ndarray]) -> tuple[Figure, object]:
    smoothed = [curve(lrs, losses).at(lrs) for losses in raw]
    agreed = consensus(lrs, raw)
    figure = draw(lrs, raw, smoothed, agreed, "A title", "training loss")
    figure.savefig(io.BytesIO(), format="png")  # an overlong label would warn
    return figure, agreed


def words(figure: Figure) -> str:
    said = [text.get_text() for axes in figure.axes for text in (*axes.texts, axes.title, *axes.get_yticklabels())]
    return "\n".join([*said, *(axes.get_title("left") for axes in figure.axes), figure.get_suptitle()])


@pytest.mark.parametrize(("steps", "seeds"), [(200, 3), (200, 1), (10, 3), (10, 1)])
def test_it_shows_every_rule_and_what_was_agreed(steps, seeds):
    lrs = np.geomspace(1e-9 if steps == 10 else 1e-7, 10, steps)
    figure, agreed = drawn(lrs, [losses_of(lrs, seed) for seed in range(seeds)])
    top, below = figure.axes
    assert top.get_xscale() == "log"
    said = words(figure)
    assert "A title" in said and f"suggested {agreed.lr:.1e}" in said
    for name in agreed.rules:
        assert name.replace("_tenth", " / 10") in said and f"{agreed.rules[name].low:.1e}" in said
    shaded = below.patches[0].get_extents().transformed(below.transData.inverted())
    assert (shaded.x0, shaded.x1) == pytest.approx(agreed.bounds)
    assert any(np.allclose(line.get_xdata(), agreed.lr) for line in top.lines)


def test_bounds_are_drawn_as_bounds_even_where_they_meet():
    lrs = np.geomspace(1e-7, 10, 200)
    meeting = Rule("meeting", lambda at: (1e-3, 1e-3), "bounds")
    figure = draw(
        lrs,
        [losses_of(lrs, 0)],
        [lrs],
        consensus(lrs, [losses_of(lrs, 0)], [*RULES, meeting]),
        "A title",
        "training loss",
    )
    said = words(figure).splitlines()
    assert "1.0e-03 to 1.0e-03" in said and "meeting" in said
    marked = [line for line in figure.axes[1].lines if line.get_marker() == "o"]
    assert len(marked) == sum(rule.answers == "point" for rule in RULES)


def test_a_diverged_end_does_not_stretch_the_axis():
    lrs = np.geomspace(1e-7, 10, 200)
    raw = [np.append(losses_of(lrs, 0)[:190], np.inf), losses_of(lrs, 1)]
    low, high = drawn(lrs, raw)[0].axes[0].get_ylim()
    assert low < 0.5 and 2.4 < high < 4


def test_a_refusal_is_said_and_nothing_is_shaded():
    lrs = np.geomspace(1e-7, 0.9, 200)
    figure, _ = drawn(lrs, [losses_of(lrs, seed, fall=0.0) for seed in range(2)])
    said = words(figure)
    assert "no suggestion: the curve is flat" in said and said.count("no fall found") == len(RULES)
    assert not figure.axes[1].patches
