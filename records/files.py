"""Files written whole or not at all: any, CSV tables (rows of like keys below a line of headings) and JSON."""

import contextlib
import csv
import io
import json
import os
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any


@contextlib.contextmanager
def written_whole(path: Path, durable: bool = False) -> Iterator[IO[bytes]]:
    """Give a file to write; when the block ends it replaces `path` in one step.

    After an error `path` is as it was, and nothing else is left. Only a killed process leaves its temporary file.

    Args:
        path: path of the file; its folder must exist.
        durable: wait until the bytes are on the disk, so that a power failure cannot leave an empty file.
    """
    temporary = path.with_name(f"{path.name}.{os.getpid()}-{secrets.token_hex(4)}.part")
    try:
        with temporary.open("xb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def expanded(path: str | Path) -> Path:
    """The path with `~` as the user's home, also where a shell leaves it; `~nobody` stays as it is."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def as_csv(rows: Sequence[dict[str, Any]]) -> str:
    """The table as text; there must be a row, and the first row's keys are the columns."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def write_csv(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write a CSV file whole or not at all; its folder is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as file:
        file.write(as_csv(rows).encode())


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON file whole or not at all."""
    with written_whole(path) as file:
        file.write(json.dumps(content, indent=2).encode() + b"\n")
