"""The trials of a range test on disk, so that a stopped test goes on where it was."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import pytorch_lightning as pl

from callbacks.range_tests.rehearsal import Rehearsal
from callbacks.range_tests.trials import Found, Progress, Trial, Trials
from callbacks.run_history import run_history
from callbacks.run_record import run_record
from records.checkpoint_io import AtomicCheckpointIO
from records.history import KEY

KEEP_EVERY = 60.0  # seconds of work that a stop costs at most; a shorter test writes no file


@dataclass
class Kept:
    """Content of the file.

    Attributes:
        found: losses and notes of each trial, by its name.
        name: name of the trial that was being trained; empty if none had begun, or all were done.
        state: state of that trial's copy, see `Rehearsal.state_dict`; None if there is no copy.
        seconds: time that the test has taken so far.
    """

    found: dict[str, Found] = field(default_factory=dict)
    name: str = ""
    state: dict[str, Any] | None = None
    seconds: float = 0.0


def read(path: Path, settings: dict[str, Any]) -> Kept:
    """What an earlier process has kept of the test; empty if there is no file.

    Args:
        path: path of the file.
        settings: settings of the test, and whatever else must not have changed.

    Raises:
        ValueError: the file is damaged, or is that of a test with other settings.
    """
    if not path.is_file():
        return Kept()
    try:
        content = AtomicCheckpointIO().load_checkpoint(path)
    except ValueError as error:
        raise ValueError(f"{path} is damaged: delete it to begin the test anew") from error
    for name, now in settings.items():
        if (then := content.get("settings", {}).get(name)) != now:
            raise ValueError(f"{path} was kept with {name} {then}, not {now}: go on with that, or delete the file")
    found = {name: Found(**one) for name, one in content["found"].items()}
    state = {key: content[key] for key in ("state_dict", "optimizer", "scaler")} if content["name"] else None
    return Kept(found, content["name"], state, content["seconds"])


@contextmanager
def kept_trials(
    trainer: pl.Trainer, path: Path | None, settings: dict[str, Any], earlier: Kept, progress: Progress
) -> Iterator[Trials]:
    """The trials of a test, kept every `KEEP_EVERY` seconds, and once more at the end if there is a file by then.

    Args:
        trainer: the run's.
        path: path of the file; None keeps nothing.
        settings: the settings that `read` was given.
        earlier: the content that `read` returned.
        progress: function that gets the number of steps just done.
    """
    began = written = monotonic()
    if (record := run_record(trainer)) is not None:
        record.seconds["rehearsal"] += earlier.seconds

    def keep(trial: Trial) -> None:
        nonlocal written
        if path is not None and _agreed(trainer, monotonic() - written >= KEEP_EVERY):
            state = trial.copy.state_dict() if trial.found.losses else None
            write(path, trial.name, state)
            written = monotonic()

    def write(path: Path, name: str = "", state: dict[str, Any] | None = None) -> None:
        found = {name: asdict(one) for name, one in trials.found.items()}
        known = {"found": found, "settings": settings, "seconds": earlier.seconds + monotonic() - began}
        if (history := run_history(trainer)) is not None:
            known[KEY] = history.state(trainer.global_step)
        if trainer.is_global_zero:
            AtomicCheckpointIO().save_checkpoint(
                {"name": name if state else "", **(state or {"state_dict": {}}), **known}, path
            )

    def restore(copy: Rehearsal) -> None:
        if earlier.state is not None:
            copy.load_state_dict(earlier.state)
            earlier.state = None  # it takes up as much memory as the copy

    trials = Trials(progress, earlier.found, earlier.name, restore, keep)
    yield trials
    if path is not None and path.is_file():
        write(path)


def _agreed(trainer: pl.Trainer, due: bool) -> bool:
    """Whether the first process says so: all must keep at the same step."""
    if trainer.world_size == 1:
        return due
    return trainer.strategy.reduce_boolean_decision(due and trainer.is_global_zero, all=False)
