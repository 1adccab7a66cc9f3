"""`fit`: objects from the configuration, one Trainer, and the record at the end."""

import contextlib
import logging
import secrets
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from callbacks import (
    BestCheckpoint,
    CountedSamples,
    DivergenceWatch,
    LastCheckpoint,
    RekeyedRandomness,
    RunHistory,
    RunRecord,
    TrainingProgress,
)
from callbacks.divergence_watch import Diverged
from checks.arguments import Refusal
from checks.shell import without
from commands import Call
from commands.arguments import Parser
from commands.configuration.cadence_cli import CadenceCLI, listed
from commands.configuration.messages import readable
from commands.configuration.monitor import monitor_of
from commands.configuration.scheduler import epoch_scheduler
from commands.configuration.translations import found_late
from commands.diverging import DIVERGED, end_diverged, rates_told, said_of
from commands.errors import UserError, notice
from commands.final_test import best_of, lacking, tell_no_best, training_stays
from commands.holding import closed, companions, held, loggers_of, positions_of, refusals_told, stops_told
from commands.result import end_dashboards, result_of
from commands.resuming import Resuming, nothing_left, restoring, resuming
from commands.sharing import tell_sharing
from commands.starting import starting
from commands.tables.summary import print_summary
from records.checkpoint_io import AtomicCheckpointIO
from records.files import write_json
from records.metrics_csv import MetricsCSV
from records.run_directory import RunDirectory

# Warnings about the libraries' own insides, or about what Cadence does on purpose: no user can act on them.
_NOT_THE_USERS = (
    r".*isinstance\(treespec, LeafSpec\)",  # Lightning 2.6 on torch 2.15
    r"The number of training batches \(\d+\) is smaller than the logging interval",  # the epoch's mean is logged anyway
    r"Checkpoint directory .* exists and is not empty",  # a resumed run goes on in its own directory
    r"Be aware that when using `ckpt_path`",  # testing needs no checkpoint callback
    r"Experiment logs directory .* exists and is not empty",  # its rows are kept
    r"It is recommended to use `self\.log\(.*sync_dist=True",  # what is logged is summed over the processes already
    r"You're using the WeightAveraging callback, but loading",  # a test takes the averaged weights, and nothing else
    r"Using ModelCheckpoint with manual optimization",  # what it keeps is the state after the step, as said
    r"Couldn't infer the batch indices fetched from your dataloader",  # the rows of `predict` are counted then
    r"The `srun` command is available on your system but is not used",  # one process needs none, a login node has none
    r"GPU available but not used",  # the configuration asks for it, or `accelerator_of` does
)

_PLACES = ("--run_dir", "--resume")  # where a run lies is no part of what it is


def fit(call: Call, arguments: list[str], resume: bool, without_rows: bool = False) -> int:
    """Train, validate, test the best checkpoint, and write result.json; returns the exit status.

    Args:
        call: the command as it was typed.
        arguments: its words, resolved, with the run's own configuration in front of them on a resume.
        resume: whether the run is there already.
        without_rows: whether it goes on where rows of metrics.csv are missing.
    """
    going_on = resuming(call, arguments, resume)
    cli = configured("fit", arguments, check=going_on.check if going_on else None)
    directory = RunDirectory(run_root(cli))
    start = None if resume and directory.last.is_file() else starting(cli, arguments)
    record = RunRecord(directory, resume, call.started, without_rows)
    history = history_of(cli, call, directory, going_on)
    counted = CountedSamples() if cli.images is None else None
    metrics = MetricsCSV(directory.metrics, positions_of(cli, counted), record.training_seconds)
    loggers = loggers_of(cli, record, history.id, counted)
    watch, randomness = DivergenceWatch(cli.config.on_nonfinite), RekeyedRandomness(cli.config.seed_everything)
    own = [record, history, *([start] if start else []), *companions(cli, directory), watch, randomness]
    own += [
        *([counted] if counted else []),
        *epoch_scheduler(cli.config_init),
        *_checkpoints(cli, directory),
        *bar_of(cli),
    ]
    trainer = cli.build_trainer(
        own,
        logger=[metrics, *loggers],
        plugins=plugins_of(cli),
        **sharing_of(cli),
        default_root_dir=str(directory.root),
        **({} if cli.images is None or cli.images.validates else {"limit_val_batches": 0}),
    )
    holding = held(trainer, directory, new=not resume)
    with refusals_told(directory, "fit"), holding, stops_told(trainer, directory, "fit"), closed(loggers):
        if going_on is not None:
            going_on.prepare(cli, trainer)
        tell_sharing(cli, trainer)
        checkpoint = str(directory.last) if resume and directory.last.is_file() else None
        try:
            anew = going_on.anew(directory.last) if going_on is not None else ""
            with mistakes_before(record, directory.last), restoring(directory.last, anew), rates_told(trainer):
                trainer.fit(cli.model, cli.datamodule, ckpt_path=checkpoint, weights_only=True)
        except Diverged as error:
            if trainer.is_global_zero:
                result = result_of(cli, trainer, record) | history.record(trainer.global_step)
                end_diverged(directory, result, error.divergence)
                end_dashboards(loggers, result | said_of(error.divergence), record, directory, DIVERGED)
            return DIVERGED
        if not record.begun:
            if nothing_left(cli, trainer, directory):
                return 0
            history.begin(trainer)
        result = result_of(cli, trainer, record) | history.record(trainer.global_step) | said_of(watch.found)
        if not record.begun:  # nothing was trained, and a module that does not keep its metrics has none
            result["metrics"] = (directory.ended_with() or {}).get("metrics", {}) | result["metrics"]
        if trainer.is_global_zero:
            write_json(directory.result, result)  # before the test, which may fail
            tell_no_best(trainer)
        if missing := lacking(cli.model, cli.datamodule) if cli.config.test_after_fit else "":
            if trainer.is_global_zero:
                notice(f"no test after the training: {missing}")
        elif cli.config.test_after_fit and not cli.config.trainer.fast_dev_run:
            metrics.end()
            with training_stays(trainer, directory, result):
                best = best_of(trainer, directory)
                trainer.test(cli.model, cli.datamodule, ckpt_path=best, weights_only=True, verbose=False)
            tested = result_of(cli, trainer, record)
            result |= {"seconds": tested["seconds"], "metrics": result["metrics"] | tested["metrics"]}
        if trainer.is_global_zero:
            write_json(directory.result, result)
            result = end_dashboards(loggers, result, record, directory)
            print_summary(result, directory.root)
    return 0


def configured(
    command: str, arguments: list[str], asker: Parser | None = None, check: Callable[[CadenceCLI], None] | None = None
) -> CadenceCLI:
    """Parse and build the configuration of a command that needs a model, and turn down the libraries' log.

    Args:
        command: `fit`, a range test or an evaluation.
        arguments: command line of that command.
        asker: parser of another command that takes the same options beside its own.
        check: function that may refuse the parsed configuration.
    """
    for library in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(library).setLevel(logging.WARNING)
    for library in ("pytorch_lightning.callbacks", "pytorch_lightning.utilities.rank_zero"):
        logging.getLogger(library).setLevel(logging.INFO)  # what a callback was asked to tell
        logging.getLogger(library).addFilter(_asked_for)
    for message in _NOT_THE_USERS:
        warnings.filterwarnings("ignore", message=message)
    cli = CadenceCLI(command, arguments, asker, check)
    if cli.model is None:
        raise UserError("model is missing: name one, e.g. --model SmallCNN; `cadence list` shows all")
    return cli


def _asked_for(record: logging.LogRecord) -> bool:
    """Whether a record of Lightning's is no mere tip: a ModelCheckpoint's words come by the same way as tips."""
    return (
        record.levelno > logging.INFO or not record.name.endswith("rank_zero") or "global step" in record.getMessage()
    )


def run_root(cli: CadenceCLI, suffix: str = "") -> Path:
    """The run directory of `--run_dir`, else one named after the configuration, the time, and a draw.

    The draw sets apart what begins in one second, as the jobs of an array do.
    """
    if cli.config.run_dir:
        return Path(cli.config.run_dir)
    return Path("runs") / f"{cli.name()}{suffix}-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"


def history_of(cli: CadenceCLI, call: Call, directory: RunDirectory, going_on: Resuming | None) -> RunHistory:
    """The callback that keeps the run's id, configuration and segments."""
    past, changes = (going_on.past, going_on.changes) if going_on else (None, {})
    return RunHistory(directory, cli.resolved(), call.command, without(call.arguments, _PLACES), past, changes)


def _checkpoints(cli: CadenceCLI, directory: RunDirectory) -> list[pl.Callback]:
    if cli.config.trainer.enable_checkpointing is False or cli.config.trainer.fast_dev_run:
        return []
    best = BestCheckpoint(directory.checkpoints, *monitor_of(cli.config), asked=cli.config.monitor is not None)
    return [best, LastCheckpoint(directory.last, cli.config.checkpoint_every)]


def bar_of(cli: CadenceCLI) -> list[pl.Callback]:
    """The progress bar, unless it is turned off or the configuration has one."""
    given = any(
        isinstance(callback, pl.callbacks.ProgressBar) for callback in listed(cli.config_init.trainer.callbacks)
    )
    return [TrainingProgress()] if cli.config.trainer.enable_progress_bar is not False and not given else []


def sharing_of(cli: CadenceCLI) -> dict[str, Any]:
    """The trainer's argument that leaves the sharing of batches to Cadence's loaders, and a stranger's to a sampler."""
    return {} if cli.images is None else {"use_distributed_sampler": False}


def plugins_of(cli: CadenceCLI) -> list[Any]:
    """The configuration's plugins, and the one that writes a checkpoint whole or not at all."""
    return [*listed(cli.config_init.trainer.plugins), AtomicCheckpointIO()]


@contextlib.contextmanager
def mistakes_before(record: RunRecord | None, checkpoint: Path | None = None) -> Iterator[None]:
    """Errors before the first batch are the user's, and few of those after it: re-raise them as `UserError`."""
    try:
        yield
    except (ValueError, OSError, RuntimeError, ImportError, MisconfigurationException) as error:
        a_files = isinstance(error, OSError) and error.filename is not None  # `refusals_told` and `report` know it
        late = isinstance(error, Refusal) or found_late(str(error))
        if a_files or (record is not None and record.begun and not late):
            raise
        raise UserError(readable(str(error), checkpoint=f"checkpoint {checkpoint}")) from error
