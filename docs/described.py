"""What `cadence describe` tells of a model, and how the pages write it."""

import io
import json
from collections.abc import Iterable, Sequence
from contextlib import redirect_stdout
from functools import cache
from typing import Any

from commands import describe

Described = dict[str, Any]
Layer = dict[str, Any]


@cache
def told(arguments: str) -> Described:
    """What `cadence describe` says of a model or two, from its JSON."""
    out = io.StringIO()
    with redirect_stdout(out):
        describe.run([*arguments.split(), "--format", "json"])
    content: Described = json.loads(out.getvalue())
    return content


def own(counted: Layer | Described) -> int:
    """Parameters of a layer or of a network."""
    return int(counted["weights"]) + int(counted["biases"])


def sizes(shape: str) -> list[int]:
    """`96x55x55` as numbers."""
    return [int(size) for size in shape.split("x")]


def times(shape: str | Sequence[int]) -> str:
    """Channels, height and width as the field writes them: height x width x channels."""
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
    """Between backticks, or nothing."""
    return f"`{written}`" if written else ""


def as_command(arguments: str) -> str:
    """A block with the command that tells it."""
    return f"    cadence describe {arguments}"
