"""`test`, `validate` and `predict`: a run's checkpoint on images, most of which it was not trained on."""

import sys
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from callbacks import RunHistory, RunRecord
from commands.configuration.cadence_cli import CadenceCLI
from commands.errors import UserError, notice
from commands.final_test import lacking
from commands.holding import closed, companions, held, loggers_of, stops_told
from commands.predicting import PredictedRows, place_of_output, reading
from commands.result import named, result_of
from commands.resuming import restoring
from commands.session import bar_of, configured, mistakes_before, plugins_of, sharing_of
from commands.tables.summary import print_summary
from records.files import write_json, write_text
from records.run_directory import RunDirectory

_PASSIVE = {"test": "tested", "validate": "validated", "predict": "used"}
# command -> (the module's step, the split of the data, the limit of the trainer's)
_NEEDS = {
    "test": ("test_step", "test", "limit_test_batches"),
    "validate": ("validation_step", "val", "limit_val_batches"),
    "predict": ("predict_step", "test", "limit_predict_batches"),
}


def evaluate(command: str, arguments: list[str], started: float) -> int:
    """Evaluate a run's best (else last) checkpoint, or the one of `--checkpoint`; returns the exit status.

    Args:
        command: `test`, `validate` or `predict`.
        arguments: its words, resolved.
        started: `time.monotonic()` when the process began.
    """
    cli = configured(command, arguments)
    step, split, limit = _NEEDS[command]
    split = cli.config.split if command == "predict" else split
    _check_data(cli, step, split, limit)
    directory = RunDirectory(Path(cli.config.run_dir)) if cli.config.run_dir else None
    checkpoint = _checkpoint(cli, directory)
    kept = directory if directory is not None and directory.writable() else None
    output = place_of_output(cli.config.output, directory) if command == "predict" else None
    record = RunRecord(kept, False, started)
    own = directory if directory is not None and not cli.config.checkpoint else None  # one that is named may be any
    history = RunHistory(own, cli.resolved(), command)
    loggers = loggers_of(cli, record, history.id) if command != "predict" else []
    rows = [PredictedRows(output, cli.images.classes if cli.images else None)] if output is not None else []
    trainer = cli.build_trainer(
        [record, history, *companions(cli, kept), *rows, *bar_of(cli)],
        logger=loggers,
        plugins=plugins_of(cli),
        **sharing_of(cli),
    )
    with held(trainer, kept), stops_told(trainer, None, command), closed(loggers):
        if directory is not None and checkpoint == directory.last and trainer.is_global_zero:
            notice(f"{directory.root} has no best.ckpt: last.ckpt is {_PASSIVE[command]}")
        with mistakes_before(record, checkpoint), restoring(checkpoint), reading(cli.datamodule, cli.images, split):
            _run(command, trainer, cli, str(checkpoint))
        if trainer.is_global_zero:
            told = rows[0].told(split) if rows else None
            _record(command, cli, directory, kept, result_of(cli, trainer, record), named(checkpoint, directory), told)
    return 0


def _run(command: str, trainer: pl.Trainer, cli: CadenceCLI, checkpoint: str) -> None:
    given: dict[str, Any] = {"ckpt_path": checkpoint, "weights_only": True}
    if command == "predict":
        trainer.predict(cli.model, cli.datamodule, return_predictions=False, **given)
    elif command == "validate":
        trainer.validate(cli.model, cli.datamodule, verbose=False, **given)
    else:
        trainer.test(cli.model, cli.datamodule, verbose=False, **given)


def _record(
    command: str,
    cli: CadenceCLI,
    directory: RunDirectory | None,
    kept: RunDirectory | None,
    result: dict[str, Any],
    checkpoint: str,
    told: str | None,
) -> None:
    """Say what came out; of a test and a validation, keep it in the run directory."""
    if told is not None:
        print(told)
        return
    if kept is not None:
        write_text(kept.config(command), cli.resolved())
        write_json(kept.root / f"{command}.json", result | {"checkpoint": checkpoint})
    elif directory is not None:
        print(f"cadence: {directory.root} is not writable: the result is not kept there", file=sys.stderr)
    print_summary(result, directory.root if directory else None)


def _check_data(cli: CadenceCLI, step: str, split: str, limit: str) -> None:
    if split == "val" and cli.images is not None and not cli.images.validates:
        raise UserError("data.val_fraction is 0, so that no images are held out for validation: test the run instead")
    if cli.config.trainer[limit] == 0:
        raise UserError(f"trainer.{limit} is 0, which leaves no images: set it to 1.0 for all")
    if missing := lacking(cli.model, cli.datamodule, step, split):
        remedy = (
            "give it one that returns class scores, e.g. `return self(batch[0])`" if "predict_step" in missing else ""
        )
        raise UserError(f"{missing}: {remedy or 'there is nothing to do without it'}")


def _checkpoint(cli: CadenceCLI, directory: RunDirectory | None) -> Path:
    if cli.config.checkpoint:
        return Path(cli.config.checkpoint)
    if directory is None:
        raise UserError("checkpoint is missing: name it by --checkpoint PATH, or the run by --run_dir DIR")
    for path in (directory.best, directory.last):
        if path.is_file():
            return path
    raise UserError(f"--run_dir {directory.root}: the run has no checkpoint yet")
