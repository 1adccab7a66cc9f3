"""What a training that diverged leaves: a result that says so, and a message with what to do."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from callbacks.divergence_watch import Divergence
from checks.shell import command_line, place
from commands.errors import UserError, lines_of
from records.files import write_json
from records.run_directory import RunDirectory

DIVERGED = 3  # exit status


@contextlib.contextmanager
def rates_told(trainer: pl.Trainer) -> Iterator[None]:
    """Tell of a learning rate in the block that no number of the weights' type can be.

    Args:
        trainer: the run's.

    Raises:
        UserError: there was one; not to be gone on from, so no divergence.
    """
    try:
        yield
    except RuntimeError as error:
        if "without overflow" not in str(error) or not trainer.optimizers:
            raise
        rate = float(trainer.optimizers[0].param_groups[0]["lr"])
        what = f"the learning rate of step {trainer.global_step + 1:,} is {rate:g}, more than the weights' type holds"
        raise UserError(f"{what}: lower optimizer.lr, model.lr_ratios or the schedule's bounds") from error


def said_of(found: Divergence | None) -> dict[str, Any]:
    """What result.json says of a divergence: nothing without one."""
    return {} if found is None else {"diverged": found._asdict()}


def end_diverged(directory: RunDirectory, result: dict[str, Any], found: Divergence) -> None:
    """Write the result of a run that ended as it diverged, and tell of it."""
    write_json(directory.result, result | said_of(found))
    if directory.last.is_file():
        kept, go_on = f"{_inside(directory, directory.last)} is from before it", directory.going_on("fit")
    else:
        kept, go_on = "it has no checkpoint", command_line("cadence", "fit", "-c", place(directory.config()))
    told = (
        f"the run has diverged: {found.sentence()}\n"
        f"start a new one with a lower rate, or with model.gradient_clip_norm; {kept}\n"
        f"or train on all the same: {go_on} --on_nonfinite go_on"
    )
    print("cadence: " + "\n  ".join(lines_of(told)), file=sys.stderr)


def _inside(directory: RunDirectory, path: Path) -> str:
    return str(path.relative_to(directory.root))
