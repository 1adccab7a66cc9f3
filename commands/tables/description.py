"""What `cadence describe` prints: a description, or two side by side, as a table, CSV, Markdown or JSON."""

import json
from dataclasses import asdict
from math import prod
from typing import Any

from commands.tables.layers import HEADINGS, LEFT, as_texts, as_values, bounded
from commands.tables.layout import as_size, lay, say
from inspection.description import Description
from records.files import as_csv

Comparison = dict[str, tuple[int, int]]


def print_described(description: Description, form: str) -> None:
    """Print one model, as `table`, `csv`, `markdown` or `json`."""
    if form == "json":
        print(json.dumps(as_json(description), indent=2))
    elif form == "csv":
        layers = description.trace.layers
        print(as_csv([as_values(layer) for layer in layers]) if layers else "layer\n", end="")
    else:
        rows = [as_texts(layer) for layer in description.trace.layers]
        say(f"{description.name} on {_inputs(description)}, for one {_sample(description)}", form)
        lay(HEADINGS, [*rows, _totals(description)], LEFT, form=form)
        for line in notes(description):
            say(line, form)
        kept = f"a batch of {description.batch_size}, {description.precision}, {description.optimizer}"
        say(f"memory, predicted, of {kept}", form)
        _lay_memory(description, form)


def print_compared(first: Description, second: Description, form: str) -> None:
    """Print two models' totals, the first's divided by the second's, and what the second saves."""
    table = compared(first, second)
    unknown = {"multiply-adds": (first.trace.unknown, second.trace.unknown)}
    ratios = {name: a / b for name, (a, b) in table.items() if b and not any(unknown.get(name, ()))}
    if form == "json":
        told: dict[str, Any] = {"models": [as_json(first), as_json(second)]}
        print(json.dumps(told | {"ratio": ratios}, indent=2))
        return
    names = [first.name, second.name if second.name != first.name else f"{second.name} (2)"]
    if form == "csv":
        rows = [
            {"quantity": name, names[0]: a, names[1]: b, "ratio": ratios.get(name, "")}
            for name, (a, b) in table.items()
        ]
        print(as_csv(rows), end="")
        return
    lines = [("output", *(" x ".join(map(str, one.trace.output_shape)) for one in (first, second)), "", "")]
    for name, both in table.items():
        cells = [bounded(value, left) for value, left in zip(both, unknown.get(name, ((), ())), strict=True)]
        ratio = ratios.get(name, 0)
        lines.append((name, *cells, *((f"{ratio:,.3f}", f"{100 * (1 - 1 / ratio):.2f} %") if ratio else ("", ""))))
    say(f"{first.name} and {second.name} on {_inputs(first)}", form)
    lay(("", *names, "ratio", "saved"), lines, form=form)
    for line in dict.fromkeys(_bounds(first) + _bounds(second)):
        say(line, form)


def compared(first: Description, second: Description) -> Comparison:
    """Totals of both models, by name; those of layers for one image, bytes for the batch."""
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
                **{f"{_named(name)}, bytes, {_where(one)}": size for name, size in _measured(one).items()},
            }
        )
    return {name: (both[0][name], both[1][name]) for name in both[0]}


def as_json(description: Description) -> dict[str, Any]:
    """A description in numbers, lists and texts."""
    traced = description.trace
    return {
        "model": description.name,
        "input_shape": list(traced.input_shape),
        "inputs": [{"shape": list(one.shape), "dtype": one.dtype_name} for one in traced.inputs],
        "output_shape": list(traced.output_shape),
        "layers": [as_values(layer) for layer in traced.layers],
        "weights": traced.total("weights"),
        "biases": traced.total("biases"),
        "activations": traced.total("activations"),
        "multiply_adds": traced.multiply_adds,
        "multiply_adds_are_exact": not traced.unknown,
        "operations_not_counted": list(traced.unknown),
        "batch_size": description.batch_size,
        "precision": description.precision,
        "optimizer": description.optimizer,
        "predicted_bytes": asdict(description.memory),
        **({"measured_bytes": asdict(description.measured)} if description.measured else {}),
    }


def notes(description: Description) -> list[str]:
    """Lines that stand below the table and explain it."""
    traced = description.trace
    elsewhere = traced.multiply_adds - traced.total("multiply_adds")
    taken = sum(prod(one.shape) for one in traced.inputs)
    lines = [f"with the input{'s' * (len(traced.inputs) > 1)}, {traced.total('activations') + taken:,} activations"]
    if elsewhere:
        lines.append(f"of the multiply-adds, {elsewhere:,} happen outside of the layers above")
    lines += _bounds(description)
    if any(layer.fields is not None and not all(axis.exact for axis in layer.fields) for layer in traced.layers):
        lines.append("<= before a field: a bound, behind an operation whose field is not known exactly")
    return lines


def _totals(description: Description) -> tuple[str, ...]:
    traced = description.trace
    weights, biases = traced.total("weights"), traced.total("biases")
    counts = [f"{n:,}" for n in (traced.total("activations"), weights, biases)]
    counts.append(bounded(traced.multiply_adds, traced.unknown))
    return ("total", *[""] * 5, *counts, f"{weights:,} + {biases:,} = {weights + biases:,}")


def _bounds(description: Description) -> list[str]:
    """A line that says which operations the multiply-adds leave out, or none."""
    unknown = description.trace.unknown
    if not unknown:
        return []
    return [
        f">= before multiply-adds: at least so many, without those of {', '.join(unknown)}, for which there is no rule"
    ]


def _lay_memory(description: Description, form: str) -> None:
    """Predicted bytes, and beside them those that were measured."""
    headings, rows, measured = ["", "bytes", ""], [], _measured(description)
    if measured:
        headings += [_where(description), "", "predicted / measured"]
    for name, size in asdict(description.memory).items():
        row = [_named(name), f"{size:,}", as_size(size)]
        if measured:
            there = measured.get(name)
            row += [f"{there:,}", as_size(there), f"{size / there:.3f}"] if there else ["", "", ""]
        rows.append(row)
    lay(headings, rows, form=form)


def _measured(description: Description) -> dict[str, int]:
    """Measured bytes, by the names of the predicted ones; empty if nothing was measured."""
    measured = description.measured
    return {"forward": measured.forward, "training_step": measured.training_step} if measured else {}


def _where(description: Description) -> str:
    return f"measured on {description.measured.device}" if description.measured else ""


def _inputs(description: Description) -> str:
    return " and ".join(map(str, description.trace.inputs))


def _sample(description: Description) -> str:
    inputs = description.trace.inputs
    return "image" if len(inputs) == 1 and inputs[0].is_picture else "sample"


def _named(field: str) -> str:
    return field.replace("_", " ")
