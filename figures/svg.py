"""A figure as SVG, the same bytes each time: inside a page, in the page's ink and paper; or as a file, on white."""

import io
import re

import matplotlib
from matplotlib.figure import Figure

INK = re.compile(r"#(?:000000|262626)\b")


def svg(figure: Figure, name: str) -> str:
    """The figure as an `<svg>` element; its texts stay texts.

    Black becomes the page's `currentColor` and white its `var(--paper)`, so that a figure reads in the dark.

    Args:
        figure: figure to draw.
        name: prefix of the element's ids, which must differ between the figures of a page.
    """
    text = _drawn(figure, name, transparent=True)
    text = text[text.index("<svg") :]
    text = re.sub(r'(\sid="|url\(#|href="#)', lambda match: f"{match[1]}{name}-", text)
    return INK.sub("currentColor", text).replace("#ffffff", "var(--paper)")


def standalone(figure: Figure, name: str) -> str:
    """The figure as the content of an .svg file, on white.

    Args:
        figure: figure to draw.
        name: name of the file, on which the figure's ids depend.
    """
    return "\n".join(line.rstrip() for line in _drawn(figure, name, transparent=False).splitlines()) + "\n"


def _drawn(figure: Figure, name: str, transparent: bool) -> str:
    out = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}):
        figure.savefig(out, format="svg", transparent=transparent, metadata={"Date": None, "Creator": None})
    return out.getvalue()
