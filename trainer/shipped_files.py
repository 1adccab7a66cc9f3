"""What Lightning's own loggers, profilers and checkpoints write, put into the run directory and kept over a resume."""

import csv
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger, Logger, TensorBoardLogger
from pytorch_lightning.profilers import PassThroughProfiler

from trainer.access import callbacks_of, is_fast_dev_run


class ShippedFiles(pl.Callback):
    """Give Lightning's loggers, profilers and ModelCheckpoint the run directory, once it is there.

    Relative paths lie below the run directory, absolute ones stay. Loggers begin with the training (or the test), since
    they make files at once, and a mistake before it must leave none. They are given the configuration, unless
    `trainer.enable_autolog_hparams` is false, and rows that come again after a resume replace those before. It logs
    no keys.

    Args:
        root: the run directory; None leaves all paths as they are.
        loggers: loggers to begin.
        config: the resolved configuration.
    """

    def __init__(self, root: Path | None, loggers: list[Logger], config: dict[str, Any]) -> None:
        self.root, self.loggers, self.config = root, loggers, config
        self._begun = False

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Give each ModelCheckpoint its folder."""
        for callback in callbacks_of(trainer):
            if isinstance(callback, ModelCheckpoint) and callback.dirpath is None and self.root is not None:
                callback.dirpath = str(self.root.absolute() / "checkpoints" / "model_checkpoint")

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin the loggers and the profiler's report."""
        self._begin(trainer)

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin them, where no training came before."""
        self._begin(trainer)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Bring the loggers' rows to the disk first: a resumed run goes on behind them."""
        for logger in self.loggers if self._begun else ():
            logger.save()

    def _begin(self, trainer: pl.Trainer) -> None:
        if self._begun:
            return
        self._begun = True
        profiler = trainer.profiler  # type: ignore[attr-defined]
        if not isinstance(profiler, PassThroughProfiler) and self.root is not None:
            profiler.dirpath = str(self.root / (profiler.dirpath or ""))
            profiler.filename = profiler.filename or "profile"
        if is_fast_dev_run(trainer):
            return
        for logger in self.loggers:
            if self.root is not None:
                _move(logger, self.root, trainer)
        trainer.loggers = [*trainer.loggers, *self.loggers]
        if trainer.enable_autolog_hparams:
            for logger in self.loggers:
                logger.log_hyperparams(self.config)


def _move(logger: Logger, root: Path, trainer: pl.Trainer) -> None:
    """Put a logger's files below `root`, and let those of a fit go on where it was."""
    for name in ("_root_dir", "_save_dir"):
        if isinstance(getattr(logger, name, None), str):
            setattr(logger, name, str(root / getattr(logger, name)))
    if trainer.state.fn != "fit" or not isinstance(logger, CSVLogger | TensorBoardLogger):
        return
    if logger._version is None:
        logger._version = 0
    step = trainer.global_step
    if isinstance(logger, TensorBoardLogger):
        logger._kwargs.setdefault("purge_step", step + 1)
    elif step and trainer.is_global_zero:
        _keep_rows(logger, step)


def _keep_rows(logger: CSVLogger, step: int) -> None:
    """Go on behind the rows up to a step: the logger begins by deleting its file."""
    path = Path(logger.log_dir) / "metrics.csv"
    if not path.is_file():
        return
    with path.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if int(row["step"]) <= step]
    writer = logger.experiment
    writer.metrics = [{name: value for name, value in row.items() if value != ""} for row in rows]
    writer.save()
