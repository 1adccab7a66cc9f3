"""Many short runs of `cadence` in a few worker processes, one row of a CSV file for each; finished rows are kept."""

import contextlib
import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

Cell = tuple[str, ...]


def fit(options: Sequence[str], folder: Path) -> dict:
    """Run `cadence fit` in this process, without output; returns the content of result.json."""
    from cli import main

    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        status = main(["fit", *options, "--trainer.enable_progress_bar", "false", "--run_dir", str(folder)])
    if status:
        raise SystemExit(f"status {status}: cadence fit {' '.join(options)}")
    return json.loads((folder / "result.json").read_text())


def done(out: Path, keys: Sequence[str]) -> set[Cell]:
    """Cells that have a row in the file."""
    if not out.exists():
        return set()
    with out.open() as file:
        return {tuple(row[key] for key in keys) for row in csv.DictReader(file)}


def run(cells: list[Cell], keys: Sequence[str], fields: Sequence[str], measure: Callable[..., dict], out: Path) -> None:
    """Measure the missing cells in worker processes; the same call in a worker measures its share.

    Args:
        cells: all cells of the table, each a tuple of values for `keys`.
        keys: column names of a cell's values.
        fields: names of all columns.
        measure: function from a cell's values to the rest of its row.
        out: path of the CSV file.
    """
    share, workers = (int(number) for number in os.environ.get("CELLS_SHARE", "0/0").split("/"))
    if not workers:
        spawn(int(os.environ.get("CELLS_WORKERS", "2")))
    there = done(out, keys)
    mine = [cell for cell in cells[share::workers] if cell not in there]
    for number, cell in enumerate(mine, start=1):
        append(out, fields, dict(zip(keys, cell, strict=True)) | measure(*cell))
        print(f"{number} of {len(mine)}: {' '.join(cell)}", flush=True)


def append(out: Path, fields: Sequence[str], row: dict) -> None:
    """Add a row to the file; a new file gets a header first."""
    header = not out.exists()
    with out.open("a", newline="") as file:
        writer = csv.DictWriter(file, fields, restval="", lineterminator="\n")
        if header:
            writer.writeheader()
        writer.writerow(row)


def spawn(workers: int) -> None:
    """Start this script again in several processes of one thread, and exit with the highest of their statuses."""
    shares = [os.environ | {"OMP_NUM_THREADS": "1", "CELLS_SHARE": f"{share}/{workers}"} for share in range(workers)]
    running = [subprocess.Popen([sys.executable, *sys.argv], env=environment) for environment in shares]
    sys.exit(max(worker.wait() for worker in running))
