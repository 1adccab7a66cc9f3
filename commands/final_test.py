"""The test at a run's end: what is wrong with it costs nothing of the training's record."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytorch_lightning as pl

from callbacks import BestCheckpoint
from checks.shell import command_line, place
from commands.configuration.messages import readable
from commands.errors import UserError, lines_of, notice
from commands.tables.summary import print_summary
from records.files import write_json
from records.run_directory import RunDirectory
from trainer.access import callbacks_of, overrides
from trainer.signals import RunStopped

_FOR_USERS = (ValueError, OSError, RuntimeError, pl.utilities.exceptions.MisconfigurationException)


def best_of(trainer: pl.Trainer, directory: RunDirectory) -> str | None:
    """Path of the run's best checkpoint, the same in all its processes; None if it has found none.

    Args:
        trainer: the run's.
        directory: the run's.

    Raises:
        ValueError: it has found one, and the file is gone.
    """
    found: str | None = trainer.strategy.broadcast(str(directory.best) if directory.best.is_file() else None)
    keeper = keeper_of(trainer)
    if found is None and keeper is not None and keeper.best is not None:
        test = command_line("cadence", "test", "--run_dir", place(directory.root))
        what = f"{directory.best.relative_to(directory.root)} ({keeper.monitor} {keeper.best:.4g}) is gone"
        raise ValueError(f"{what}: put it back, or test the last one by `{test}`")
    return found


def keeper_of(trainer: pl.Trainer) -> BestCheckpoint | None:
    """The callback that keeps the best checkpoint; None without one."""
    return next((one for one in callbacks_of(trainer) if isinstance(one, BestCheckpoint)), None)


def tell_no_best(trainer: pl.Trainer) -> None:
    """Say why there is no best checkpoint by the metric that was asked for."""
    keeper = keeper_of(trainer)
    if keeper is not None and keeper.asked and keeper.best is None and trainer.global_step:
        names = ", ".join(sorted(trainer.callback_metrics)) or "nothing"
        why = "was never a finite number" if keeper.logged else f"was never logged, but {names}"
        notice(f"no best.ckpt: {keeper.monitor} {why}")


def lacking(
    module: pl.LightningModule, data: pl.LightningDataModule | None, step: str = "test_step", split: str = "test"
) -> str:
    """Why somebody else's module and data have no test, or no other evaluation; "" if they can have one.

    Args:
        module: the module.
        data: its data.
        step: method of the module that the evaluation calls.
        split: `test`, `val` or `train`: which loader of the data it reads.
    """
    if not overrides(module, step, pl.LightningModule):
        return f"{type(module).__name__} has no {step}"
    if data is None or not overrides(data, f"{split}_dataloader", pl.LightningDataModule):
        return f"{type(data).__name__ if data else 'the data'} has no {split}_dataloader"
    return ""


@contextlib.contextmanager
def training_stays(trainer: pl.Trainer, directory: RunDirectory, result: dict[str, Any]) -> Iterator[None]:
    """Run the final test in the block; where it fails, result.json says so beside the training's figures.

    Args:
        trainer: the run's.
        directory: the run's.
        result: what result.json says of the training.

    Raises:
        UserError: the test failed, whatever the reason: no data, damaged data or weights, a defect of a module.
    """
    try:
        yield
    except RunStopped:
        raise
    except Exception as error:
        told = " ".join(lines_of(readable(str(error)))[:2]) or "without a message"
        reason = told if isinstance(error, _FOR_USERS) else f"{type(error).__name__}: {told}"
        if trainer.is_global_zero:
            write_json(directory.result, result | {"test_failed": reason})
            print_summary(result, directory.root)
        once_mended = f"the training is over and recorded; mend that, then test by\n{directory.going_on('fit')}"
        raise UserError(f"the test failed: {reason}\n{once_mended}") from error
