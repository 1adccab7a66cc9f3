"""`cadence plot-runs`: losses and accuracies of runs, drawn and in a table, from their run directories."""

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING

from commands import Call
from commands.arguments import Parser, one_of
from commands.errors import UserError
from commands.tables.layout import lay
from records.files import expanded, write_figure

if TYPE_CHECKING:
    import numpy as np

AGAINST = ("epoch", "step", "samples", "seconds")
HEADINGS = ("run", "epochs", "steps", "best val", "at epoch", "last val", "test", "seconds")
DESCRIPTION = """\
Draw training and validation loss and accuracy of one run, or of several over
each other, with their learning rates and batch sizes where those were logged;
and print their best and final accuracies. A run may still be going on."""


def run(call: Call) -> int:
    """Draw runs; returns the exit status."""
    parser = Parser(call.command, "RUN_DIR [RUN_DIR ...] [options]", DESCRIPTION)
    parser.value(
        "--against", AGAINST[0], type=one_of(AGAINST), default=AGAINST[0], metavar="AXIS",
        help=f"what the horizontal axis counts: {', '.join(AGAINST)}; %(default)s by default",
    )  # fmt: skip
    parser.figure("learning_curves.png")
    given, names = parser.words(call.arguments or ["--help"])
    if not names:
        raise UserError("cadence plot-runs: name a run directory, as fit prints it at its end")
    roots = _roots(names)

    from figures.learning_curves import draw

    curves = {name: columns(root / "metrics.csv") for name, root in roots.items()}
    write_figure(given.out, draw(curves, given.against))
    lay(HEADINGS, [_row(name, curves[name], root) for name, root in roots.items()])
    print(f"drawn in {given.out}")
    return 0


def columns(path: Path) -> dict[str, "np.ndarray"]:
    """The columns of a metrics.csv, each float64 of shape (rows,), NaN where a row has no value.

    Raises:
        UserError: the file is missing, has no row, or holds something else than numbers.
    """
    import numpy as np

    from records.metrics_rows import KEYS, read_rows

    if not path.is_file():
        raise UserError(f"{path} is not there: the run has logged no row yet; give the path that fit printed")
    try:
        names, rows = read_rows(path)
        if ragged := [place for place, row in enumerate(rows, 2) if None in row or None in row.values()]:
            raise ValueError(f"line {ragged[0]} has not {len(names)} values")
        found = {name: np.array([float(row[name] or "nan") for row in rows]) for name in names}
        if not all(np.isfinite(found[key]).all() for key in KEYS if key in found):
            raise ValueError(f"not every row has numbers for {', '.join(KEYS)}")
    except (TypeError, ValueError, csv.Error) as error:
        raise UserError(f"{path} is damaged ({error}): give the directory of a run") from error
    if absent := [key for key in KEYS if key not in found]:
        raise UserError(f"{path} has no column {absent[0]}, so no run wrote it: give the directory of a run")
    if not rows:
        raise UserError(f"{path} has no row yet: wait for the first, after trainer.log_every_n_steps steps")
    return found


def _roots(names: list[str]) -> dict[str, Path]:
    """Run directories, each by its own name, or by its path as given if two have the same name."""
    paths = [expanded(name) for name in names]
    for path in paths:
        if not path.is_dir():
            raise UserError(f"run directory {path} does not exist: give the path that fit printed at its end")
    short = [path.absolute().name for path in paths]
    return dict(zip(short if len(set(short)) == len(short) else names, paths, strict=True))


def _row(name: str, curves: dict[str, "np.ndarray"], root: Path) -> list[str]:
    """A run's line of the table; a dash for what it has not measured yet."""
    import numpy as np

    validated = curves.get("val/accuracy", np.full(1, np.nan))
    seen = np.flatnonzero(~np.isnan(validated))
    best = seen[validated[seen].argmax()] if len(seen) else None
    return [
        name, f"{curves['epoch'][-1]:.4g}", f"{int(curves['step'][-1]):,}",
        "-" if best is None else f"{validated[best]:.2%}",
        "-" if best is None else f"{curves['epoch'][best]:.4g}",
        "-" if best is None else f"{validated[seen[-1]]:.2%}",
        _test_accuracy(root / "result.json"), f"{curves['seconds'][-1]:.1f}",
    ]  # fmt: skip


def _test_accuracy(path: Path) -> str:
    """The test accuracy in a run's result.json; a dash while there is none."""
    try:
        accuracy = json.loads(path.read_text())["metrics"].get("test/accuracy")
        return "-" if accuracy is None else f"{float(accuracy):.2%}"
    except FileNotFoundError:
        return "-"
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"{path} is damaged ({error}): give the directory of a run") from error
