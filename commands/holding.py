"""What a command holds while its run goes on: the run directory, for itself alone, and the loggers."""

import contextlib
import errno
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytorch_lightning as pl
import yaml
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import Logger

from callbacks import CountedSamples, RunRecord
from commands.configuration.cadence_cli import CadenceCLI, listed
from commands.errors import UserError
from records.dashboard import Dashboard, RunFacts
from records.generation import TakenOver
from records.run_directory import RunDirectory
from trainer.handlers import end_children
from trainer.shipped_callbacks import ShippedCallbacks
from trainer.shipped_files import ShippedFiles
from trainer.signals import RunStopped

# What a disk says, rather than a program that looks for a file where there is none.
_REFUSALS = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EFBIG)


def loggers_of(
    cli: CadenceCLI, record: RunRecord, run: str | None, counted: CountedSamples | None = None
) -> list[Dashboard]:
    """The configuration's dashboards, given what is known of the run.

    Args:
        cli: the configuration.
        record: the run's, whose directory they write to and whose clock counts their time.
        run: id of the run.
        counted: count of the samples, where no stream says them.
    """
    dashboards = [logger for logger in _configured(cli) if isinstance(logger, Dashboard)]
    directory = record.directory.root if record.directory is not None else None
    config = yaml.safe_load(cli.resolved()) if dashboards else {}
    for dashboard in dashboards:
        clock, position = partial(record.during, "logging"), positions_of(cli, counted)
        dashboard.attach(RunFacts(directory, run, config, position, clock))
    return dashboards


def positions_of(cli: CadenceCLI, counted: CountedSamples | None) -> Callable[[int], tuple[float, int]]:
    """Function step -> passes over the training set and samples seen, by Cadence's stream or by a count."""
    return partial(position_of, cli) if counted is None else counted.position


def position_of(cli: CadenceCLI, step: int) -> tuple[float, int]:
    """Passes over the training set, and samples seen, after `step` steps."""
    stream = cli.images.stream if cli.images else None
    if stream is None:
        return float("nan"), 0
    position = stream.position(step)
    return round(position.epochs, 6), position.samples


def companions(cli: CadenceCLI, directory: RunDirectory | None) -> list[pl.Callback]:
    """What makes Lightning's callbacks, loggers and profilers exact, and puts their files into the run directory."""
    root = directory.root if directory else None
    loggers = [logger for logger in _configured(cli) if not isinstance(logger, Dashboard)]
    for given, built in zip(*(listed(one.trainer.callbacks) for one in (cli.config, cli.config_init)), strict=True):
        path = given.init_args.dirpath if isinstance(built, ModelCheckpoint) else None
        if path and root is not None and "://" not in path and not Path(path).expanduser().is_absolute():
            built.dirpath = str(root.absolute() / path)
    return [ShippedFiles(root, loggers, yaml.safe_load(cli.resolved())), ShippedCallbacks()]


def _configured(cli: CadenceCLI) -> list[Logger]:
    return [logger for logger in listed(cli.config_init.trainer.logger) if isinstance(logger, Logger)]


@contextlib.contextmanager
def stops_told(trainer: pl.Trainer, directory: RunDirectory | None, command: str) -> Iterator[None]:
    """Tell of a stop in the block, and how the run goes on.

    Args:
        trainer: the run's.
        directory: the run's; None if nothing is kept.
        command: command that goes on with it.

    Raises:
        RunStopped: the command was stopped.
    """
    try:
        yield
    except RunStopped as stop:
        end_children(trainer)
        stop.told, stop.first = True, trainer.is_global_zero
        if trainer.is_global_zero:
            ends = {"validate": "validation", "predict": "prediction"}.get(command, "test")
            done = f"after step {trainer.global_step:,}" if command == "fit" else f"before the end of the {ends}"
            if directory is not None and directory.resumable():
                print(f"Stopped {done}. Go on with: {directory.going_on(command)}")
            else:
                print(f"Stopped {done}. Nothing is kept: run the command again")
        raise


@contextlib.contextmanager
def closed(loggers: list[Dashboard]) -> Iterator[None]:
    """Close the dashboards at the end of the block, with what became of the run."""
    exit_code, goes_on = 1, False
    try:
        yield
        exit_code = 0
    except (RunStopped, TakenOver):
        exit_code, goes_on = 0, True
        raise
    finally:
        for logger in loggers:
            logger.close(exit_code, goes_on)


@contextlib.contextmanager
def held(trainer: pl.Trainer, directory: RunDirectory | None, new: bool = False) -> Iterator[None]:
    """Hold the run directory, by the one process of the run that writes to it.

    Args:
        trainer: the run's, which says whether this is that process.
        directory: the run's; None holds nothing.
        new: whether it must be free.
    """
    with contextlib.ExitStack() as stack:
        if directory is not None and trainer.is_global_zero:
            try:
                stack.enter_context(directory.held(new))
            except ValueError as error:
                raise UserError(str(error)) from error
        yield


@contextlib.contextmanager
def refusals_told(directory: RunDirectory, command: str) -> Iterator[None]:
    """Tell which file the disk refused in the block, and how the run goes on.

    Args:
        directory: the run's.
        command: command that goes on with it.
    """
    try:
        yield
    except OSError as error:
        inside = error.filename is not None and Path(str(error.filename)).is_relative_to(directory.root)
        if not inside and error.errno not in _REFUSALS:
            raise
        told = f"{error.filename or 'a file of the run'}: {error.strerror}"
        if not directory.resumable():
            raise UserError(f"{told}: mend that, and run the command again") from error
        raise UserError(f"{told}\nmend that, then go on with\n{directory.going_on(command)}") from error
