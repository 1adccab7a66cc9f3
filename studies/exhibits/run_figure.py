"""A figure that the runs themselves have drawn, such as a range test's; its files are kept with the results."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from records.run_directory import RunDirectory
from studies.exhibits.exhibit import Exhibit, Found
from studies.exhibits.kept import first, kept
from studies.table import SEED


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
    path = kept(found.folder, row, file) if row is not None else None
    if row is None or path is None or not path.is_file():
        return Exhibit(title, f"No cell of this scale has drawn {file}.")
    return Exhibit(title, f"Seed {row.get(SEED, 1)}. {caption}".strip(), picture=path.read_bytes())


def take(wanted: Mapping[str, Any], run: RunDirectory, to: Callable[[str], Path]) -> dict[str, Any]:
    """Copy the picture.

    Args:
        wanted: the exhibit's entry in study.yaml.
        run: run directory of the cell.
        to: function from a file's name to its path in the results.
    """
    if (path := run.root / wanted["file"]).is_file():
        to(wanted["file"]).write_bytes(path.read_bytes())
    return {}
