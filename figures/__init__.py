"""Data in, a matplotlib Figure out; nothing else draws. One figure a file: import `figures.NAME`."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Figure  # for modules that pass figures on without importing matplotlib


def as_text(name: str) -> str:
    """A name that matplotlib draws as it is: between dollars it reads formulas, and a legend leaves out `_name`."""
    shown = name.replace("$", r"\$")
    return f" {shown}" if shown.startswith("_") else shown
