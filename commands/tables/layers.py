"""A layer of `cadence describe` as a row: texts for people, and values for a program."""

from collections.abc import Sequence
from typing import Any

from inspection.layers.trace import Layer

HEADINGS = (
    "layer", "kind", "output", "window", "field", "jump", "activations", "weights", "biases", "multiply-adds",
    "parameters, written out",
)  # fmt: skip
LEFT = (0, 1, 10)  # places of the columns that hold text


def as_texts(layer: Layer) -> tuple[str, ...]:
    """One cell for each heading, empty where the layer has no such value."""
    window = _across(layer.kernel, "x")
    if layer.kernel:
        window += f" /{_across(layer.stride, 'x')}" if set(layer.stride) != {1} else ""
        window += f" pad {_across(layer.padding, 'x')}" if set(layer.padding) != {0} else ""
        window += f" dil {_across(layer.dilation, 'x')}" if set(layer.dilation) != {1} else ""
    field = jump = ""
    if layer.fields is not None:
        exact = all(axis.exact for axis in layer.fields)
        field = ("" if exact else "<= ") + _across([axis.field for axis in layer.fields], "x")
        laid = all(axis.dim is not None for axis in layer.fields)
        jump = _across([axis.jump for axis in layer.fields], "x") if laid else ""
    output = " x ".join(map(str, layer.output_shape))
    numbers = (layer.activations, layer.weights, layer.biases)
    return (
        layer.name,
        layer.kind,
        output,
        window,
        field,
        jump,
        *(f"{n:,}" if n else "" for n in numbers),
        bounded(layer.multiply_adds, layer.unknown) if layer.multiply_adds or layer.unknown else "",
        layer.written,
    )


def bounded(multiply_adds: int, unknown: Sequence[str]) -> str:
    """A number of multiply-adds, or a lower bound of it where some operations are not counted."""
    return f"{'>= ' if unknown else ''}{multiply_adds:,}"


def as_values(layer: Layer) -> dict[str, Any]:
    """All values of a layer, by name."""
    axes = layer.fields or ()
    return {
        "layer": layer.name,
        "kind": layer.kind,
        "output": _across(layer.output_shape, "x", every=True),
        "kernel": _across(layer.kernel, "x", every=True),
        "stride": _across(layer.stride, "x", every=True),
        "padding": _across(layer.padding, "x", every=True),
        "dilation": _across(layer.dilation, "x", every=True),
        "field": _across([axis.field for axis in axes], "x", every=True),
        "jump": _across([axis.jump for axis in axes], "x", every=True),
        "field_is_exact": all(axis.exact for axis in axes) if axes else "",
        "sees_all": all(axis.whole for axis in axes) if axes else "",
        "activations": layer.activations,
        "weights": layer.weights,
        "biases": layer.biases,
        "multiply_adds": layer.multiply_adds,
        "multiply_adds_are_exact": not layer.unknown,
        "written_out": layer.written,
        "multiply_adds_written_out": layer.multiplied,
    }


def _across(values: Sequence[int], sign: str, *, every: bool = False) -> str:
    """Sizes joined by a sign; equal ones as a single size, unless `every` is set."""
    return sign.join(map(str, values if every or len(set(values)) > 1 else values[:1]))
