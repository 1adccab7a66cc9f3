"""The output of `cadence describe` for a model, and how the pages format it."""

import io
import json
from collections.abc import Iterable, Sequence
from contextlib import redirect_stdout
from functools import cache
from typing import Any

from commands import Call, describe

Described = dict[str, Any]
Layer = dict[str, Any]


@cache
def told(arguments: str) -> Described:
    """The JSON output of `cadence describe` for one or two models."""
    out = io.StringIO()
    with redirect_stdout(out):
        describe.run(Call("describe", [*arguments.split(), "--format", "json"], started=0.0))
    content: Described = json.loads(out.getvalue())
    return content


def own(counted: Layer | Described) -> int:
    """Number of parameters in a layer or in a network."""
    return int(counted["weights"]) + int(counted["biases"])


def sizes(shape: str) -> list[int]:
    """`96x55x55` as numbers."""
    return [int(size) for size in shape.split("x")]


def times(shape: str | Sequence[int]) -> str:
    """A shape (channels, height, width) in the order usual in papers: height x width x channels."""
    channels, *sides = sizes(shape) if isinstance(shape, str) else shape
    return " x ".join(map(str, (*sides, channels)))


def spread(shape: Sequence[int]) -> str:
    """The same as a product: height*width*channels."""
    return times(shape).replace(" x ", "*")


def summed(counts: Iterable[int]) -> str:
    """A sum written out, its result in bold."""
    counts = list(counts)
    return f"{' + '.join(f'{count:,}' for count in counts)} = **{sum(counts):,}**"


def as_code(written: str) -> str:
    """The text between backticks; an empty text stays empty."""
    return f"`{written}`" if written else ""


def as_command(arguments: str) -> str:
    """A code block with the command that prints the numbers."""
    return f"    cadence describe {arguments}"
