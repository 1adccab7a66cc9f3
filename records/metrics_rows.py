"""The rows of a metrics.csv, read without Lightning, whose import takes seconds."""

import csv
import io
from pathlib import Path

KEYS = ("step", "epoch", "samples", "seconds")
_TAIL = 1 << 14  # bytes at the end of a file, with room for a row


def read_rows(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """Columns and complete rows of a metrics.csv; a last line without its end, torn by a kill, is left out."""
    text = path.read_bytes().decode("utf-8-sig")  # an editor may have put a mark before the first byte
    lines = text[: text.rfind("\n") + 1]
    reader = csv.DictReader(io.StringIO(lines))
    rows = list(reader)
    return list(reader.fieldnames or KEYS), rows


def last_row(path: Path) -> dict[str, str] | None:
    """The last complete row of a metrics.csv, without reading those before it; None where there is none."""
    if not path.is_file():
        return None
    with path.open("rb") as stream:
        columns = stream.readline()
        stream.seek(max(len(columns), stream.seek(0, io.SEEK_END) - _TAIL))
        lines = stream.read().split(b"\n")[:-1]  # what stands behind the last line's end is torn
    if not lines:
        return None
    text = (columns + lines[-1]).decode("utf-8-sig")
    return next(csv.DictReader(io.StringIO(text)), None)
