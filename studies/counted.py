"""What is counted of a network without training it: claims about its layers, each a pure function of the network."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # torch takes seconds, and what only lists studies needs none
    from inspection.layers.trace import Trace

COLUMNS = ("weights", "biases", "parameters", "multiply_adds", "activations")


def counted(
    model: str,
    of: str,
    value: int,
    options: Mapping[str, Any] | None = None,
    image: tuple[int, ...] | None = None,
    within: float = 0,
) -> tuple[bool, str]:
    """Whether a network has as many of something as published.

    Args:
        model: name of the network, as for `cadence describe`.
        of: `weights`, `biases`, `parameters`, `multiply_adds` or `activations`, which count the input.
        value: published number.
        options: arguments of the network.
        image: (channels, height, width) of its images; its own by default.
        within: share of the published number by which ours may differ.

    Raises:
        ValueError: `of` is none of COLUMNS, or the network is unknown.
    """
    if of not in COLUMNS:
        raise ValueError(f"claims: counted: of: {of} is none of {', '.join(COLUMNS)}")
    found = _total(traced(model, options or {}, image), of)
    gap = f", {100 * (found / value - 1):+.2f} %, allowed {100 * within:g} %" if within else ""
    return abs(found - value) <= within * value, f"{found:,} {of.replace('_', '-')}; published {value:,}{gap}"


def field_of_stack(filters: int, size: int, value: int) -> tuple[bool, str]:
    """Whether a stack of convolutions of size x size and stride 1 sees as many pixels along a side as published.

    Args:
        filters: number of convolutions.
        size: side of a convolution's window, in pixels.
        value: published number of pixels.
    """
    found = stacked_field(filters, size)
    return found == value, f"{filters} of {size} x {size}: {found} x {found} pixels; published {value} x {value}"


def traced(model: str, options: Mapping[str, Any], image: tuple[int, ...] | None = None) -> "Trace":
    """The layers of a network, without its weights."""
    from inspection.layers.trace import trace
    from inspection.models import find

    network = find(model)
    shape = tuple(image) if image else network.shape(options)
    return trace(network.build(options, shape), shape)


def stacked_field(filters: int, size: int) -> int:
    """Side, in pixels, of the receptive field of a unit behind some convolutions of size x size with stride 1."""
    from torch import device, nn

    from inspection.layers.trace import trace

    side = 1 + filters * (size - 1)
    with device("meta"):
        fields = trace(nn.Sequential(*(nn.Conv2d(1, 1, size) for _ in range(filters))), (1, side, side)).fields
    if fields is None:
        raise RuntimeError("a convolution has a receptive field")
    return fields[0].field


def _total(found: "Trace", of: str) -> int:
    if of == "multiply_adds":
        return found.multiply_adds
    if of == "parameters":
        return found.total("weights") + found.total("biases")
    values = found.total(of)
    if of == "activations":
        channels, *sides = found.input_shape
        for side in sides:
            channels *= side
        return values + channels
    return values
