"""The layers of a network: output, parameters and receptive field, as `cadence describe` counts them."""

from collections.abc import Mapping
from typing import Any

from commands.tables.layers import HEADINGS, as_texts
from inspection.layers.trace import trace
from inspection.models import find
from studies.exhibits.exhibit import Exhibit, Found
from studies.tabular import Entry, Table


def exhibit(found: Found, title: str, model: str, options: Mapping[str, Any] | None = None) -> Exhibit:
    """A row for each layer.

    Args:
        found: what the study found.
        title: title of the table.
        model: name of the network, as for `cadence describe`.
        options: its arguments.
    """
    given = dict(options or {})
    network = find(model)
    module = network.build(given)
    rows = [[Entry(text) for text in as_texts(layer)] for layer in trace(module, network.shape(given)).layers]
    count = sum(parameter.numel() for parameter in module.parameters())
    return Exhibit(title, f"{count:,} parameters.", [Table(list(HEADINGS), rows)])
