"""Autograd's gradient of a trained network against central differences, beside a published table."""

import contextlib
import csv
import io
import json
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from commands import Call, gradient_check
from commands.tables.gradient_check import SHOWN
from records.files import write_json
from records.run_directory import RunDirectory
from studies.exhibits.exhibit import Exhibit, Found
from studies.exhibits.kept import first, kept
from studies.tabular import Entry, Table

CHECKED = ("gradient_check.csv", "gradient_check.json", "gradient_check.png")
KINK = " *"


def exhibit(
    found: Found, title: str, published: str, only: Mapping[str, Any] | None = None, caption: str = ""
) -> Exhibit:
    """Differences by weight and N in float64, ours and the published, and the figure in both precisions.

    Args:
        found: what the study found.
        title: title above them.
        published: name of the published table's file: `weight`, then a column `N=...` for each N.
        only: column values of the cell whose network is checked.
        caption: what is to be said of it.
    """
    row = first(found.rows, only or {})
    tables, figure = [kept(found.folder, row, CHECKED[place]) if row else None for place in (0, 2)]
    if tables is None or figure is None or not tables.is_file():
        return Exhibit(title, "No network of this scale was checked.")
    with tables.open(newline="") as file:
        ours = {
            (line["weight"], int(line["N"])): _told(line["difference"], KINK if int(line["kinks"]) else "")
            for line in csv.DictReader(file)
            if line["precision"] == "float64"
        }
    theirs = {(line["weight"], n): _told(line.get(f"N={n}")) for line in found.published(published) for n in SHOWN}
    weights = list(dict.fromkeys(weight for weight, _ in ours))
    headings = ["weight", *(f"N = {n:,}, {whose}" for n in SHOWN for whose in ("ours", "published"))]
    nothing = Entry("-")
    body = [
        [Entry(weight), *(which.get((weight, n), nothing) for n in SHOWN for which in (ours, theirs))]
        for weight in weights
    ]
    said = f"Central difference with steps of 1/N less autograd's gradient;{KINK}: a kink lies within the step."
    return Exhibit(title, f"{said} {caption}".strip(), [Table(headings, body)], picture=figure.read_bytes())


def take(wanted: Mapping[str, Any], run: RunDirectory, to: Callable[[str], Path]) -> dict[str, Any]:
    """Check the run's last weights; returns the largest difference in float64 for each N, as columns of its row.

    Args:
        wanted: the exhibit's entry in study.yaml.
        run: run directory of the cell.
        to: function from a file's name to its path in the results.
    """
    with tempfile.TemporaryDirectory() as folder:
        words = ["-c", str(run.config()), "--checkpoint", str(run.last), "--out", folder]
        with contextlib.redirect_stdout(io.StringIO()):
            gradient_check.run(Call("gradient-check", words, time.monotonic()))
        for name in CHECKED:
            to(name).write_bytes((Path(folder) / name).read_bytes())
    told = json.loads(to(CHECKED[1]).read_text())
    write_json(to(CHECKED[1]), told | {"checkpoint": f"last of cell {run.root.name}"})
    largest = told["float64"]["largest_difference"]
    return {f"difference/N={n}": value for n, value in largest.items()}


def _told(value: str | None, mark: str = "") -> Entry:
    if value is None:
        return Entry("-")
    number = float(value)
    return Entry((f"{number:.1e}" if number else "0") + mark, abs(number))
