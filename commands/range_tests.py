"""`cadence lr-range-test` and `batch-size-range-test`: a range test alone, without the run that would follow."""

import contextlib

import pytorch_lightning as pl

from callbacks import RekeyedRandomness, RunRecord
from commands.configuration.cadence_cli import listed
from commands.holding import closed, held, loggers_of
from commands.session import STOPPED, bar_of, configured, mistakes_before, plugins_of, run_root
from commands.tables.summary import print_range_test
from records.run_directory import RunDirectory
from trainer.signals import RunStopped


class _Over(Exception):
    """The test is done."""


class _EndBeforeTraining(pl.Callback):
    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        raise _Over


def range_test(command: str, arguments: list[str], resume: bool, started: float) -> int:
    """Run the test of a command on a configuration of `fit`; returns the exit status.

    Callbacks of the configuration that declare `left_out_of_range_tests` have no part in it: a test that sets learning
    rates and batch sizes itself needs no policy for them. All others, a stranger's too, stay.
    """
    cli = configured(command, arguments)
    test = cli.config_init.range_test
    directory = RunDirectory(run_root(cli, f"-{command}"))
    record = RunRecord(directory, cli.resolved(), resume, started)
    given = listed(cli.config_init.trainer.callbacks)
    kept = [callback for callback in given if not getattr(callback, "left_out_of_range_tests", False)]
    loggers = loggers_of(cli, directory)
    trainer = cli.build_trainer(
        [record, *kept, RekeyedRandomness(cli.config.seed_everything), test, _EndBeforeTraining(), *bar_of(cli)],
        callbacks=None,
        logger=loggers,
        plugins=plugins_of(cli),
        use_distributed_sampler=False,
        max_epochs=1,
        num_sanity_val_steps=0,
        **({} if cli.images is None or cli.images.validates else {"limit_val_batches": 0}),
    )
    with held(trainer, directory, new=not resume), closed(loggers):
        try:
            with contextlib.suppress(_Over), mistakes_before(None):
                trainer.fit(cli.model, cli.datamodule)
        except RunStopped:
            if trainer.is_global_zero:
                go_on = f"go on with: cadence {command} --resume {directory.root}"
                print(f"Stopped before the end of the test: {go_on if directory.resumable() else 'start it anew'}")
            return STOPPED
        test.forget(trainer)
        if trainer.is_global_zero:
            print_range_test([] if test.outcome is None else test.outcome.table(), directory.root)
    return 0 if test.refusal is None else 1
