"""Files written whole or not at all: any, texts, JSON, figures, and CSV tables (rows of like keys below headings)."""

import contextlib
import csv
import io
import json
import math
import os
import re
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from records.generation import check_ours


@contextlib.contextmanager
def written_whole(path: Path, durable: bool = False) -> Iterator[IO[bytes]]:
    """Give a file to write; when the block ends it replaces `path` in one step.

    After an error `path` is as it was, and nothing else is left. Only a killed process leaves its temporary file.

    Args:
        path: path of the file; its folder must exist.
        durable: wait until the bytes are on the disk, so that a power failure cannot leave an empty file.

    Raises:
        OSError: naming `path`, as the disk is full, or refuses it otherwise.
        TakenOver: it lies in a run directory that another process has now.
    """
    check_ours(path)
    temporary = path.with_name(f"{path.name}.{os.getpid()}-{secrets.token_hex(4)}.part")
    try:
        with refusals_of(path), temporary.open("xb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        with refusals_of(path):
            temporary.replace(path)
    finally:
        with contextlib.suppress(OSError):  # it may be what stood in the way of making it
            temporary.unlink(missing_ok=True)


def clear_parts(*folders: Path) -> None:
    """Remove what processes that were killed had half written; no other may be writing there."""
    for folder in folders:
        for path in folder.glob("*.part"):
            if re.search(r"\.\d+-[0-9a-f]{8}\.part$", path.name):
                path.unlink(missing_ok=True)


@contextlib.contextmanager
def refusals_of(path: Path) -> Iterator[None]:
    """Name `path` in what the disk refuses in the block: a failed write knows no name, and torch hides the error.

    It hides a stop as well, and any other exception that is no error: those leave the block as they are.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:
        refused: BaseException | None = error
        while isinstance(refused, Exception) and not isinstance(refused, OSError):
            refused = refused.__context__
        if refused is not None and not isinstance(refused, OSError):
            raise refused from None
        if refused is None or refused.errno is None or not str(refused.filename or path).startswith(str(path)):
            raise
        raise OSError(refused.errno, refused.strerror, str(path)) from error


def expanded(path: str | Path) -> Path:
    """The path with `~` as the user's home, also where a shell leaves it; `~nobody` stays as it is."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def mapping_in(path: Path) -> dict[str, Any]:
    """The mapping in a JSON file; empty where there is none, or none that can be read."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


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
    write_text(path, as_csv(rows))


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON file whole or not at all; a number that is not finite, which JSON has not, becomes null."""
    write_text(path, json.dumps(_strict(content), indent=2, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text whole or not at all."""
    with written_whole(path) as file:
        file.write(text.encode())


def write_figure(path: Path, figure: Any) -> None:
    """Write a matplotlib figure whole or not at all, in the format that the name ends in."""
    with written_whole(path) as file:
        figure.savefig(file, format=path.suffix[1:], dpi=150)


def _strict(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _strict(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_strict(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content
