"""The rows of a metrics.csv, read without Lightning, whose import takes seconds."""

import csv
import io
from pathlib import Path

KEYS = ("step", "epoch", "samples", "seconds")


def read_rows(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """Columns and complete rows of a metrics.csv; a last line without its end, torn by a kill, is left out."""
    text = path.read_bytes().decode("utf-8-sig")  # an editor may have put a mark before the first byte
    lines = text[: text.rfind("\n") + 1]
    reader = csv.DictReader(io.StringIO(lines))
    rows = list(reader)
    return list(reader.fieldnames or KEYS), rows
