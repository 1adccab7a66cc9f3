"""A figure as SVG that can stand inside a page: the same bytes each time, no clashing ids, the page's ink and paper."""

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
    out = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}):
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r'(\sid="|url\(#|href="#)', lambda match: f"{match[1]}{name}-", text)
    return INK.sub("currentColor", text).replace("#ffffff", "var(--paper)")
