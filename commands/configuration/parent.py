"""The run that another one begins from, as a configuration names it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from commands.errors import UserError
from records.run_directory import RunDirectory


@dataclass
class Parent:
    """A run whose weights a new one begins with.

    With `sha256`, which a run's own config.yaml has, the checkpoint must be that very one.

    Args:
        run: directory of the run.
        at: name of its checkpoint; by default the best one, or the last one where there is no best.
        step: number of steps that the run had made.
        sha256: digest of the checkpoint's file.
    """

    run: str
    at: Literal["best", "last"] | None = None
    step: int | None = None
    sha256: str | None = None


def checkpoint_of(run: RunDirectory, at: str | None) -> tuple[str, Path]:
    """Name and path of a run's checkpoint.

    Args:
        run: the run's directory.
        at: `best` or `last`; None takes the best if there is one, else the last.

    Raises:
        UserError: there is no such run, or it has no such checkpoint.
    """
    try:
        run.open()
    except ValueError as error:
        raise UserError(f"--from: {error}") from error
    there = {name: path for name, path in (("best", run.best), ("last", run.last)) if path.is_file()}
    if at in there or (at is None and there):
        name = at or next(iter(there))
        return name, there[name]
    if there:
        raise UserError(f"--from {run.root}: the run has no {at}.ckpt: give --at {next(iter(there))}, or leave it out")
    if (command := run.begun_with().get("command", "fit")) != "fit":
        raise UserError(f"--from {run.root}: that is a run of {command}, which keeps no weights: name a run of fit")
    if (run.ended_with() or {}).get("diverged"):
        raise UserError(f"--from {run.root}: the run diverged before its first checkpoint: name another run")
    raise UserError(f"--from {run.root}: the run has no checkpoint yet: go on with it first, by\n{run.going_on('fit')}")
