"""Legends outside of the axes, in as many columns as the figure has room for: more would be cut off."""

import textwrap
from collections.abc import Sequence
from typing import Any, Literal, cast

from matplotlib.figure import Figure
from matplotlib.legend import Legend

Where = Literal["outside lower center", "outside upper center", "outside upper left"]
MARGIN = 0.98  # part of a figure's width that a legend may take


def legend(
    figure: Figure,
    where: Where,
    columns: int,
    size: float = 9,
    named: tuple[Sequence[Any], Sequence[str]] | None = None,
) -> None:
    """Name what is drawn, beside the axes.

    Args:
        figure: figure to name it in.
        where: place, as matplotlib calls it: `outside lower center`.
        columns: number of columns where all labels are short; where they are not, fewer, and lines that break.
        size: size of the texts, in points.
        named: what is drawn, and its labels; all that has a label by default.
    """
    handles, labels = named or _labelled(figure)
    if not handles:
        return
    for count in range(min(columns, len(handles)), 0, -1):
        made = _made(figure, where, count, size, handles, labels)
        room = MARGIN * figure.bbox.width / made.get_window_extent().width
        if room >= 1:
            return
        made.remove()
    longest = max(map(len, labels))
    broken = [textwrap.fill(label, max(int(0.9 * room * longest), 10)) for label in labels]
    _made(figure, where, 1, size, handles, broken)


def made_anew(figure: Figure, size: float) -> None:
    """Lay out a figure's legends for its present width, in two columns at most, with texts of a size in points."""
    for old in list(figure.legends):
        labels = [text.get_text().replace("\n", " ") for text in old.get_texts()]
        old.remove()
        legend(figure, cast(Where, old.get_label()), 2, size, (old.legend_handles, labels))


def _made(
    figure: Figure, where: Where, columns: int, size: float, handles: Sequence[Any], labels: Sequence[str]
) -> Legend:
    made = figure.legend(handles, labels, frameon=False, loc=where, ncols=columns, fontsize=size)
    made.set_label(where)  # the place cannot be read back from it
    return made


def _labelled(figure: Figure) -> tuple[list[Any], list[str]]:
    found: dict[str, Any] = {}
    for axes in figure.axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    return list(found.values()), list(found)
