"""The batch-size range test as a block diagram (problem 2.5 of the training dynamics homework)."""

from itertools import pairwise
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Patch, Polygon

INK = "#333333"
COLOURS = {"step": "#e8f0f8", "question": "#fdf3dc", "end": "#e4f2e7"}
LEFT, MIDDLE, RIGHT, MARGIN = 2.6, 5.75, 9.2, 12.4  # columns: measuring, failed sizes, choosing, refusals
ROWS = (10.8, 9.0, 7.3, 5.7, 4.1, 2.5, 0.9, -0.7)
HALF_WIDTH, HALF_HEIGHT, POINTED = 1.75, 0.5, 0.68  # of a box; a question's diamond is higher

# Text, kind, column, row: the steps of `batch_size_trainings` and `batch_size_rule`, in order.
BOXES = (
    ("one learning rate,\nsizes $B_1 < B_2 < …$,  T steps", "end", LEFT, 0),
    ("next size B: a fresh copy\nof the run, from its start", "step", LEFT, 1),
    ("does the training\nset hold B samples?", "question", LEFT, 2),
    ("train T steps of B samples,\nin micro-batches", "step", LEFT, 3),
    ("memory enough,\nlosses finite?", "question", LEFT, 4),
    ("note the loss after T steps, and\non the way after T $B_1$ samples", "step", LEFT, 5),
    ("sizes left?", "question", LEFT, 6),
    ("did 3 sizes\nor more run?", "question", RIGHT, 0),
    ("both curves flat, or\nno loss below its start?", "question", RIGHT, 1),
    ("tolerance: 5 % of a curve's range, or\n2 errors of the difference if more", "step", RIGHT, 2),
    ("$b_{max}$: smallest of those around the\nbest at equal steps within it", "step", RIGHT, 3),
    ("is $b_{max}$ the\nsmallest size?", "question", RIGHT, 4),
    ("$b_{min}$: largest of those around the\nbest at equal samples within it", "step", RIGHT, 5),
    ("$b_{min} < b_{max}$?", "question", RIGHT, 6),
    ("suggest $b_{min}$ to $b_{max}$", "end", RIGHT, 7),
)


def draw() -> Figure:
    """Boxes and arrows: measuring on the left, choosing on the right."""
    figure = Figure(figsize=(10.4, 9), layout="constrained")
    axes = figure.subplots()
    axes.set_xlim(0, 13.4)
    axes.set_ylim(-1.4, 11.6)
    axes.axis("off")
    for text, kind, x, row in BOXES:
        _box(axes, x, ROWS[row], text, kind)
    _box(axes, MIDDLE, ROWS[3], "note\nwhy not", "step", half_width=0.6)
    _box(axes, MARGIN, ROWS[6], "$b_{min}$: the\nsmallest size", "step", half_width=0.85)
    _box(axes, MARGIN, (ROWS[0] + ROWS[4]) / 2, "refuse,\nsay why", "end", 0.6, (ROWS[0] - ROWS[4]) / 2 + 0.3)
    _measuring(axes)
    _choosing(axes)
    return figure


def _measuring(axes: Axes) -> None:
    for row in range(6):
        _down(axes, LEFT, row, "yes" if row in (2, 4) else "")
    beside = LEFT + HALF_WIDTH
    _arrow(axes, [(beside, ROWS[2]), (MIDDLE, ROWS[2]), (MIDDLE, ROWS[3] + HALF_HEIGHT)], "no")
    _arrow(axes, [(beside, ROWS[4]), (MIDDLE - 0.3, ROWS[4]), (MIDDLE - 0.3, ROWS[3] - HALF_HEIGHT)], "no")
    _arrow(axes, [(MIDDLE + 0.3, ROWS[3] - HALF_HEIGHT), (MIDDLE + 0.3, ROWS[6]), (beside, ROWS[6])])
    before = LEFT - HALF_WIDTH
    _arrow(axes, [(before, ROWS[6]), (0.3, ROWS[6]), (0.3, ROWS[1]), (before, ROWS[1])], "yes")
    below, between = ROWS[6] - POINTED, (MIDDLE + 0.6 + RIGHT - HALF_WIDTH) / 2
    around = [(LEFT, below), (LEFT, ROWS[7]), (between, ROWS[7]), (between, ROWS[0]), (RIGHT - HALF_WIDTH, ROWS[0])]
    _arrow(axes, around, "no")


def _choosing(axes: Axes) -> None:
    for row in range(7):
        _down(axes, RIGHT, row, {0: "yes", 1: "no", 4: "no", 6: "yes"}.get(row, ""))
    beside = RIGHT + HALF_WIDTH
    for row, answer in ((0, "no"), (1, "yes"), (4, "yes")):
        _arrow(axes, [(beside, ROWS[row]), (MARGIN - 0.6, ROWS[row])], answer)
    _arrow(axes, [(beside, ROWS[6]), (MARGIN - 0.85, ROWS[6])], "no")
    _arrow(axes, [(MARGIN, ROWS[6] - HALF_HEIGHT), (MARGIN, ROWS[7]), (beside, ROWS[7])])


def _down(axes: Axes, x: float, row: int, answer: str) -> None:
    """An arrow from a box to the one below it."""
    kinds = {(its_x, its_row): kind for _, kind, its_x, its_row in BOXES}
    halves = [POINTED if kinds[x, r] == "question" else HALF_HEIGHT for r in (row, row + 1)]
    _arrow(axes, [(x, ROWS[row] - halves[0]), (x, ROWS[row + 1] + halves[1])], answer)


def _box(
    axes: Axes,
    x: float,
    y: float,
    text: str,
    kind: str,
    half_width: float = HALF_WIDTH,
    half_height: float = HALF_HEIGHT,
) -> None:
    look: dict[str, Any] = {"facecolor": COLOURS[kind], "edgecolor": INK, "linewidth": 1.0}
    shape: Patch
    if kind == "question":
        corners = [(x - half_width, y), (x, y + POINTED), (x + half_width, y), (x, y - POINTED)]
        shape = Polygon(corners, closed=True, **look)
    else:
        style = f"round,pad=0,rounding_size={0.25 if kind == 'end' else 0.05}"
        corner = (x - half_width, y - half_height)
        shape = FancyBboxPatch(corner, 2 * half_width, 2 * half_height, boxstyle=style, **look)
    axes.add_patch(shape)
    axes.text(x, y, text, ha="center", va="center", fontsize=9, color=INK)


def _arrow(axes: Axes, points: list[tuple[float, float]], answer: str = "") -> None:
    """A line through the points with an arrow head at the last one, and the answer at the first one."""
    for (x, y), (next_x, next_y) in pairwise(points[:-1]):
        axes.plot([x, next_x], [y, next_y], color=INK, linewidth=1.0, solid_capstyle="butt")
    axes.annotate(
        "", points[-1], points[-2], arrowprops={"arrowstyle": "-|>", "color": INK, "shrinkA": 0, "shrinkB": 0}
    )
    if answer:
        (x, y), (next_x, _) = points[:2]
        sideways = 0.0 if next_x == x else (0.3 if next_x > x else -0.3)
        place: dict[str, Any] = {
            "fontsize": 8,
            "style": "italic",
            "ha": "center" if sideways else "left",
            "va": "bottom",
        }
        axes.text(x + (sideways or 0.1), y + (0.06 if sideways else -0.26), answer, **place)
