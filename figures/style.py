"""The look of the studies' figures: colours that print and that colour-blind readers tell apart, and plain axes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

from figures.legends import made_anew

# Okabe and Ito's set without its yellow, which is lost on white; each reads on dark paper too.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#7f7f7f")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", (0, (5, 2)), (0, (1, 1.4)), (0, (6, 2, 1, 2)))
BAND = 0.18  # opacity of the band of seeds
COLUMN = 3.35  # inches, the width of one of a paper's two columns
POINTS = 7  # size of the texts there


@dataclass(frozen=True)
class Look:
    """How a group is drawn.

    Attributes:
        colour: colour of its line and its marks.
        marker: mark at its places, a second way to tell groups apart.
        dash: dashes of its line.
    """

    colour: str
    marker: str
    dash: Any


def looks(keys: Sequence[tuple[Any, ...]]) -> list[Look]:
    """A look for each group, no two alike up to four times seven groups.

    Args:
        keys: values that tell each group apart; the first is told by the colour, the others by marks and dashes.
    """
    firsts, others = (list(dict.fromkeys(part)) for part in ([key[:1] for key in keys], [key[1:] for key in keys]))
    found = []
    for key in keys:
        place, other = firsts.index(key[:1]), others.index(key[1:])
        mark = other if len(others) > 1 else place
        found.append(Look(colour(place), marker(mark), DASHES[(other + place // len(COLOURS)) % len(DASHES)]))
    return found


def colour(place: int) -> str:
    """Colour of the group at a place, counted from 0."""
    return COLOURS[place % len(COLOURS)]


def marker(place: int) -> str:
    """Mark of the group at a place: a second way to tell groups apart."""
    return MARKERS[place % len(MARKERS)]


def plain(axes: Axes, x: str, y: str) -> None:
    """Name the axes, and leave a faint grid and two spines."""
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25, linewidth=0.6)


def to_column(figure: Figure) -> None:
    """Shrink a figure to the width of a paper's column, with texts that can still be read and lines to match."""
    width, height = figure.get_size_inches()
    figure.set_size_inches(COLUMN, height * COLUMN / width + 0.4)  # texts shrink less than the rest
    for text in figure.findobj(Text):
        text.set_fontsize(POINTS)
    for line in figure.findobj(Line2D):
        line.set_linewidth(0.7 * line.get_linewidth())
        line.set_markersize(0.6 * line.get_markersize())
    made_anew(figure, POINTS)
