"""Files written whole or not at all: CSV tables (rows of like keys below a line of headings) and JSON."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def as_csv(rows: Sequence[dict[str, Any]]) -> str:
    """The table as text; at least one row, whose keys are the columns."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def write_csv(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write it whole or not at all; the folder is made where there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".part")
    temporary.write_text(as_csv(rows), newline="")
    temporary.replace(path)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON file whole or not at all."""
    temporary = path.with_name(path.name + ".part")
    temporary.write_text(json.dumps(content, indent=2) + "\n")
    temporary.replace(path)
