"""The layers of a network: output, parameters and receptive field, as `cadence describe` counts them."""

import math
from collections.abc import Mapping
from typing import Any

from commands.tables.layers import HEADINGS, as_texts
from studies.counted import traced
from studies.exhibits.exhibit import Exhibit, Found
from studies.tabular import Entry, Table


def exhibit(
    found: Found,
    title: str,
    model: str,
    options: Mapping[str, Any] | None = None,
    image: tuple[int, ...] | None = None,
    caption: str = "",
) -> Exhibit:
    """A row for each layer, and the totals.

    Args:
        found: what the study found.
        title: title of the table.
        model: name of the network, as for `cadence describe`.
        options: its arguments.
        image: (channels, height, width) of its images; its own by default.
        caption: what is to be said of it, behind the totals.
    """
    counts = traced(model, options or {}, image)
    rows = [[_entry(text) for text in as_texts(layer)] for layer in counts.layers]
    weights, biases, kept = (counts.total(column) for column in ("weights", "biases", "activations"))
    totals = (
        f"{weights + biases:,} parameters, {weights:,} weights and {biases:,} biases; {counts.multiply_adds:,} "
        f"multiply-adds; {kept:,} activations, and {math.prod(counts.input_shape):,} values of the image."
    )
    return Exhibit(title, f"{totals} {caption}".strip(), [Table(list(HEADINGS), rows)])


def _entry(text: str) -> Entry:
    digits = text.replace(",", "")
    return Entry(text, float(digits) if digits.isdecimal() else None)
