"""Data in, a matplotlib Figure out; nothing else draws. One figure a file: import `figures.NAME`."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Figure  # for modules that pass figures on without importing matplotlib
