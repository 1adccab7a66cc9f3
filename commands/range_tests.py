"""`cadence lr-range-test` and `batch-size-range-test`: a range test alone, without the run that would follow."""

import contextlib

import pytorch_lightning as pl
from pytorch_lightning.callbacks import (
    DeviceStatsMonitor,
    EarlyStopping,
    LearningRateMonitor,
    ModelCheckpoint,
    WeightAveraging,
)

from callbacks import BatchSizeRangeTest, LRRangeTest, RekeyedRandomness, RunRecord
from callbacks.range_tests.range_test import RangeTest
from commands import Call
from commands.configuration.cadence_cli import listed
from commands.holding import closed, companions, held, loggers_of, refusals_told, stops_told
from commands.resuming import resuming
from commands.session import bar_of, configured, history_of, mistakes_before, plugins_of, run_root, sharing_of
from commands.starting import starting
from commands.tables.summary import print_range_test
from records.run_directory import RunDirectory


class _Over(Exception):
    """The test is done."""


class _EndBeforeTraining(pl.Callback):
    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        raise _Over


# Callbacks of Lightning's that have a part in training alone, and some of which want a logger.
_OF_TRAINING = (DeviceStatsMonitor, EarlyStopping, LearningRateMonitor, ModelCheckpoint, WeightAveraging)


def _left_out(callback: pl.Callback, test: pl.Callback) -> bool:
    if isinstance(callback, LRRangeTest) and isinstance(test, BatchSizeRangeTest) and test.lr == "auto":
        return False
    return getattr(callback, "left_out_of_range_tests", False) or isinstance(callback, _OF_TRAINING)


def range_test(call: Call, arguments: list[str], resume: bool) -> int:
    """Run the test of a command on a configuration of `fit`; returns the exit status.

    Callbacks of the configuration that declare `left_out_of_range_tests` have no part in it: a test that sets learning
    rates and batch sizes itself needs no policy for them. All others, a stranger's too, stay; and so does the test that
    a batch-size range test takes its rate from.

    Args:
        call: the command as it was typed.
        arguments: its words, resolved, with the run's own configuration in front of them on a resume.
        resume: whether the run is there already.
    """
    command, going_on = call.command, resuming(call, arguments, resume)
    cli = configured(command, arguments, check=going_on.check if going_on else None)
    test = cli.config_init.range_test
    directory = RunDirectory(run_root(cli, f"-{command}"))
    start = starting(cli, arguments)
    record, history = RunRecord(directory, resume, call.started), history_of(cli, call, directory, going_on)
    own = [RekeyedRandomness(cli.config.seed_everything), test, _EndBeforeTraining(), *bar_of(cli)]
    given = listed(cli.config_init.trainer.callbacks)
    kept = [callback for callback in given if not _left_out(callback, test)]
    loggers = loggers_of(cli, record, history.id)
    trainer = cli.build_trainer(
        [record, history, *([start] if start else []), *companions(cli, directory), *kept, *own],
        callbacks=None,
        logger=loggers,
        plugins=plugins_of(cli),
        **sharing_of(cli),
        default_root_dir=str(directory.root),
        max_epochs=1,
        num_sanity_val_steps=0,
        **({} if cli.images is None or cli.images.validates else {"limit_val_batches": 0}),
    )
    holding = held(trainer, directory, new=not resume)
    with refusals_told(directory, command), holding, stops_told(trainer, directory, command), closed(loggers):
        if going_on is not None and trainer.is_global_zero:
            going_on.tell()
        with contextlib.suppress(_Over), mistakes_before(None):
            trainer.fit(cli.model, cli.datamodule)
        for one in (*kept, test):
            if isinstance(one, RangeTest):
                one.forget(trainer)
        if trainer.is_global_zero:
            print_range_test([] if test.outcome is None else test.outcome.table(), directory.root)
    return 0 if test.refusal is None else 1
