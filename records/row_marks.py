"""What a checkpoint knows of the rows in metrics.csv that precede it, and what has become of them since."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

_LENGTH = 16  # hexadecimal digits of a row's digest

Row = Mapping[str, Any]


class RowMarks:
    """A digest of each row; its cells that hold something count, so that a later column changes none.

    The last row stays open, as more values of its step may come.
    """

    def __init__(self) -> None:
        self._closed: list[str] = []

    def close(self, row: Row) -> None:
        """Add a row that no more values come to."""
        self._closed.append(_digest(row))

    def state(self, last: Row) -> dict[str, Any]:
        """All rows, for a checkpoint; `last` is the open one, empty before the first."""
        return {"closed": "".join(self._closed), "last": _cells(last)}


def lost(state: Mapping[str, Any], rows: Sequence[Row]) -> str:
    """What is missing, or not as it was written; "" if nothing is.

    Args:
        state: what `RowMarks.state` gave for a checkpoint.
        rows: the file's rows now, up to the checkpoint's step.
    """
    closed, last = state["closed"], state["last"]
    digests = [closed[place : place + _LENGTH] for place in range(0, len(closed), _LENGTH)]
    written = len(digests) + bool(last)
    sound = 0
    for row, digest in zip(rows, digests, strict=False):
        if _digest(row) != digest:
            break
        sound += 1
    if sound == len(digests) < len(rows):
        sound += bool(last) and last.items() <= _cells(rows[len(digests)]).items()
    if sound == written and len(rows) <= written + 1:  # one more may have come at the checkpoint's own step
        return ""
    if sound == written:
        return f"up to step {last['step']} are {len(rows)} instead of {written}"
    since = f"after step {rows[sound - 1]['step']}" if sound else "from the first step"
    if len(rows) < written:
        return f"{since} to step {last['step']} are not all there: {len(rows)} of {written} rows"
    return f"{since} to step {last['step']} are not as they were written"


def as_marked(state: Mapping[str, Any], rows: Sequence[Row]) -> list[Row]:
    """The rows as they were at a checkpoint: without the values, and the row, that came for its step afterwards.

    An epoch that training ended within has such values: a run that goes on has them later.
    """
    last = state["last"]
    if not last:
        return []
    return [last if row["step"] == last["step"] else row for row in rows if int(row["step"]) <= int(last["step"])]


def _cells(row: Row) -> dict[str, str]:
    return {name: str(value) for name, value in row.items() if value not in ("", None)}


def _digest(row: Row) -> str:
    return hashlib.sha256(json.dumps(_cells(row), sort_keys=True).encode()).hexdigest()[:_LENGTH]
