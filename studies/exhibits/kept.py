"""What exhibits take from the run directories while those are there: files of the results, and columns of the rows.

A kind of exhibit that needs more of a run than its record has a function `take`; the others have none.
"""

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from records.run_directory import RunDirectory
from studies.exhibits import KINDS
from studies.table import finished, where

FOLDER = "from_cells"  # not `runs`, which a checkout ignores


def first(rows: Sequence[Mapping[str, Any]], only: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The first finished cell with these column values."""
    return next(iter(finished(where(rows, only))), None)


def kept(folder: Path, row: Mapping[str, Any], file: str) -> Path:
    """Path of a file in the results that was taken from a cell.

    Args:
        folder: folder of the results.
        row: row of the cell.
        file: name that the file had.
    """
    return folder / FOLDER / f"{row['id']}-{file}"


def keep(exhibits: Sequence[Mapping[str, Any]], rows: Sequence[dict[str, Any]], runs: Path, folder: Path) -> None:
    """Take what the exhibits of a study need from the first cell that each is about, if its run directory is there.

    Args:
        exhibits: entries of `exhibits` in study.yaml.
        rows: rows of the cells; columns may be added.
        runs: folder of the run directories.
        folder: folder of the results.
    """
    for wanted in exhibits:
        take = getattr(import_module(KINDS[wanted["kind"]]), "take", None) if wanted["kind"] in KINDS else None
        chosen = first(rows, wanted.get("only") or {})
        for row in rows:
            if take is not None and row is chosen and (run := RunDirectory(runs / row["id"])).root.is_dir():
                (folder / FOLDER).mkdir(parents=True, exist_ok=True)
                row.update(take(wanted, run, lambda file, row=row: kept(folder, row, file)))
