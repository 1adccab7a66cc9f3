"""A figure that the runs themselves have drawn, such as a range test's; its files are kept with the results."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from studies.exhibits.exhibit import Exhibit, Found
from studies.table import SEED, finished, where

FOLDER = "runs"


def exhibit(found: Found, title: str, file: str, only: Mapping[str, Any] | None = None, caption: str = "") -> Exhibit:
    """The picture of the first seed.

    Args:
        found: what the study found.
        title: title above it.
        file: name of the picture in the run directory, a .png.
        only: column values of the cell that drew it.
        caption: what is to be said of it.
    """
    row = first(found.rows, only or {})
    path = found.folder / FOLDER / f"{row['id']}-{file}" if row is not None else None
    if row is None or path is None or not path.is_file():
        return Exhibit(title, f"No cell of this scale has drawn {file}.")
    return Exhibit(title, f"Seed {row.get(SEED, 1)}. {caption}".strip(), picture=path.read_bytes())


def first(rows: Any, only: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The first finished cell with these column values."""
    return next(iter(finished(where(rows, only))), None)


def keep(exhibits: Any, rows: Any, runs: Path, folder: Path) -> None:
    """Copy the pictures that a study's exhibits show from the run directories to the results.

    Args:
        exhibits: entries of `exhibits` in study.yaml.
        rows: rows of the cells.
        runs: folder of the run directories.
        folder: folder of the results.
    """
    for wanted in exhibits:
        row = first(rows, wanted.get("only") or {}) if wanted["kind"] == "run_figure" else None
        if row is not None and (runs / row["id"] / wanted["file"]).is_file():
            target = folder / FOLDER / f"{row['id']}-{wanted['file']}"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((runs / row["id"] / wanted["file"]).read_bytes())
