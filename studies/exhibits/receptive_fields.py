"""Receptive fields of stacks of small convolutions, as traced, beside the weights of one filter that sees as much."""

from collections.abc import Sequence

from studies.counted import stacked_field
from studies.exhibits.exhibit import Exhibit, Found
from studies.tabular import Table, entry


def exhibit(found: Found, title: str, sizes: Sequence[int], most: int, caption: str = "") -> Exhibit:
    """A row for each number of convolutions, two columns for each size.

    Args:
        found: what the study found.
        title: title of the table.
        sizes: sides of the convolutions' windows, in pixels.
        most: largest number of convolutions behind each other.
        caption: what is to be said of it.
    """
    headings = ["convolutions"]
    for size in sizes:
        headings += [f"field of {size} x {size}, pixels", f"weights of {size} x {size}, C^2"]
    rows = []
    for filters in range(1, most + 1):
        row = [entry(filters)]
        for size in sizes:
            row += [entry(stacked_field(filters, size)), entry(filters * size**2)]
        rows.append(row)
    return Exhibit(title, caption, [Table(headings, rows)])
