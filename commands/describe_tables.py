"""What `cadence describe` prints: a description, or two side by side, as a table, CSV, Markdown or JSON."""

import csv
import io
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from inspection.description import Description
from inspection.layers import Layer

HEADINGS = (
    "layer", "kind", "output", "window", "field", "jump", "activations", "weights", "biases", "multiply-adds",
    "parameters, written out",
)  # fmt: skip
_TEXT = (0, 1, 10)  # columns that are set to the left

Rows = Sequence[Sequence[str]]
Comparison = dict[str, tuple[float, float]]


def print_described(description: Description, form: str) -> None:
    """One model, as `table`, `csv`, `markdown` or `json`."""
    if form == "json":
        print(json.dumps(as_json(description), indent=2))
    elif form == "csv":
        print(_csv([_csv_row(layer) for layer in description.trace.layers]), end="")
    else:
        layout = _rich if form == "table" else _markdown
        rows = [_row(layer) for layer in description.trace.layers]
        shape = " x ".join(map(str, description.trace.input_shape))
        _say(f"{description.name} on {shape}, for one image", form)
        layout(HEADINGS, [*rows, _totals(description)], _TEXT)
        for line in notes(description):
            _say(line, form)
        kept = f"a batch of {description.batch_size}, {description.precision}, {description.optimizer}"
        _say(f"memory, predicted, of {kept}", form)
        layout(
            ("", "bytes", ""), [(_named(k), f"{v:,}", _size(v)) for k, v in asdict(description.memory).items()], (0,)
        )


def print_compared(first: Description, second: Description, form: str) -> None:
    """Two models' totals, how many times the second goes into the first, and what it saves."""
    table = compared(first, second)
    if form == "json":
        told: dict[str, Any] = {"models": [as_json(first), as_json(second)]}
        print(json.dumps(told | {"ratio": {name: a / b for name, (a, b) in table.items() if b}}, indent=2))
        return
    names = [first.name, second.name if second.name != first.name else f"{second.name} (2)"]
    if form == "csv":
        rows = [{"quantity": name, names[0]: a, names[1]: b} for name, (a, b) in table.items()]
        print(
            _csv([{**row, "ratio": a / b if b else ""} for row, (a, b) in zip(rows, table.values(), strict=True)]),
            end="",
        )
        return
    lines = [("output", *(" x ".join(map(str, one.trace.output_shape)) for one in (first, second)), "", "")]
    for name, (a, b) in table.items():
        ratio, saved = (f"{a / b:,.3f}", f"{100 * (1 - b / a):.2f} %") if a and b else ("", "")
        lines.append((name, f"{a:,}", f"{b:,}", ratio, saved))
    layout = _rich if form == "table" else _markdown
    shape = " x ".join(map(str, first.trace.input_shape))
    _say(f"{first.name} and {second.name} on {shape}", form)
    layout(("", *names, "ratio", "saved"), lines, (0,))


def compared(first: Description, second: Description) -> Comparison:
    """Totals of both, by name; layers' totals for one image, bytes for the batch."""
    both = []
    for one in (first, second):
        weights, biases = one.trace.total("weights"), one.trace.total("biases")
        both.append(
            {
                "weights": weights,
                "biases": biases,
                "parameters": weights + biases,
                "activations": one.trace.total("activations"),
                "multiply-adds": one.trace.multiply_adds,
                **{f"{_named(name)}, bytes": size for name, size in asdict(one.memory).items()},
            }
        )
    return {name: (both[0][name], both[1][name]) for name in both[0]}


def as_json(description: Description) -> dict[str, Any]:
    """A description in numbers, lists and texts."""
    traced = description.trace
    return {
        "model": description.name,
        "input_shape": list(traced.input_shape),
        "output_shape": list(traced.output_shape),
        "layers": [_csv_row(layer) for layer in traced.layers],
        "weights": traced.total("weights"),
        "biases": traced.total("biases"),
        "activations": traced.total("activations"),
        "multiply_adds": traced.multiply_adds,
        "batch_size": description.batch_size,
        "precision": description.precision,
        "optimizer": description.optimizer,
        "predicted_bytes": asdict(description.memory),
    }


def notes(description: Description) -> list[str]:
    """What the table does not say by itself, a line each."""
    traced = description.trace
    elsewhere = traced.multiply_adds - traced.total("multiply_adds")
    lines = [f"with the input, {traced.total('activations') + _product(traced.input_shape):,} activations"]
    if elsewhere:
        lines.append(f"of the multiply-adds, {elsewhere:,} happen outside of the layers above")
    if any(layer.fields is not None and not all(axis.exact for axis in layer.fields) for layer in traced.layers):
        lines.append("<= before a field: a bound, behind an operation whose field is not known exactly")
    return lines


def _row(layer: Layer) -> tuple[str, ...]:
    window = _across(layer.kernel, "x")
    if layer.kernel:
        window += f" /{_across(layer.stride, 'x')}" if set(layer.stride) != {1} else ""
        window += f" pad {_across(layer.padding, 'x')}" if set(layer.padding) != {0} else ""
    field = jump = ""
    if layer.fields is not None:
        exact = all(axis.exact for axis in layer.fields)
        field = ("" if exact else "<= ") + _across([axis.field for axis in layer.fields], "x")
        laid = all(axis.dim is not None for axis in layer.fields)
        jump = _across([axis.jump for axis in layer.fields], "x") if laid else ""
    output = " x ".join(map(str, layer.output_shape))
    numbers = (layer.activations, layer.weights, layer.biases, layer.multiply_adds)
    return (
        layer.name,
        layer.kind,
        output,
        window,
        field,
        jump,
        *(f"{n:,}" if n else "" for n in numbers),
        layer.written,
    )


def _totals(description: Description) -> tuple[str, ...]:
    traced = description.trace
    weights, biases = traced.total("weights"), traced.total("biases")
    counts = (traced.total("activations"), weights, biases, traced.multiply_adds)
    return ("total", *[""] * 5, *(f"{n:,}" for n in counts), f"{weights:,} + {biases:,} = {weights + biases:,}")


def _csv_row(layer: Layer) -> dict[str, Any]:
    axes = layer.fields or ()
    return {
        "layer": layer.name,
        "kind": layer.kind,
        "output": _across(layer.output_shape, "x", every=True),
        "kernel": _across(layer.kernel, "x", every=True),
        "stride": _across(layer.stride, "x", every=True),
        "padding": _across(layer.padding, "x", every=True),
        "field": _across([axis.field for axis in axes], "x", every=True),
        "jump": _across([axis.jump for axis in axes], "x", every=True),
        "field_is_exact": all(axis.exact for axis in axes) if axes else "",
        "sees_all": all(axis.whole for axis in axes) if axes else "",
        "activations": layer.activations,
        "weights": layer.weights,
        "biases": layer.biases,
        "multiply_adds": layer.multiply_adds,
        "written_out": layer.written,
    }


def _csv(rows: Sequence[dict[str, Any]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]) if rows else ["layer"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _across(values: Sequence[int], sign: str, *, every: bool = False) -> str:
    """Sizes joined; one alone where they are equal and not `every` one is wanted."""
    return sign.join(map(str, values if every or len(set(values)) > 1 else values[:1]))


def _product(shape: Sequence[int]) -> int:
    total = 1
    for size in shape:
        total *= size
    return total


def _size(value: int) -> str:
    amount, unit = float(value), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{amount:.4g} {unit}"


def _named(field: str) -> str:
    return field.replace("_", " ")


def _say(line: str, form: str) -> None:
    print(f"\n{line}\n" if form == "markdown" else line)


def _markdown(headings: Sequence[str], rows: Rows, left: Sequence[int]) -> None:
    print(f"| {' | '.join(headings)} |")
    print(f"|{'|'.join('---' if column in left else '---:' for column in range(len(headings)))}|")
    for row in rows:
        print(f"| {' | '.join(cell.replace('*', chr(92) + '*') for cell in row)} |")


def _rich(headings: Sequence[str], rows: Rows, left: Sequence[int]) -> None:
    """A table as wide as it needs: a wrapped number cannot be read."""
    from rich.console import Console
    from rich.table import Table

    table = Table(*headings)
    for place, column in enumerate(table.columns):
        column.justify, column.no_wrap = "left" if place in left else "right", True
    for row in rows:
        table.add_row(*(cell.replace("[", r"\[") for cell in row))
    console = Console(highlight=False, width=10_000, file=sys.stdout)
    console.print(table, crop=False)
