"""Start the record of a run on disk, time its parts, and publish callbacks' tables and figures beside it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl

from records.dashboard import Dashboard
from records.files import write_csv, write_figure
from records.metrics_csv import MetricsCSV
from records.relocation import with_place, without_place
from records.run_directory import RunDirectory
from trainer.access import callbacks_of
from trainer.restoring import widen

if TYPE_CHECKING:
    from figures import Figure


class RunRecord(pl.Callback):
    """Make the run directory once the data are there, and count the seconds of each part of a run.

    The parts are set-up, rehearsals (range tests on copies), training, evaluation, and logging to dashboards.

    The seconds are in the checkpoint: a resumed run counts on. They are wall-clock times of this process; on an
    accelerator, a step's time is counted when the device is next waited for, at the latest at the next evaluation. It
    logs no keys: MetricsCSV asks it for the `seconds` of each row.

    Args:
        directory: the run's directory; None leaves no record on disk.
        resume: whether the directory is there already.
        started: `time.monotonic()` when the process began.
        without_rows: whether a resumed run goes on where rows of metrics.csv are missing that precede its checkpoint.

    Attributes:
        lost: what was missing of metrics.csv, with the step where the run went on without.
    """

    def __init__(
        self, directory: RunDirectory | None, resume: bool, started: float, without_rows: bool = False
    ) -> None:
        self.directory, self.resume, self.started = directory, resume, started
        self.without_rows = without_rows
        self.lost: list[str] = []
        self.begun = False
        self.seconds = dict.fromkeys(("setup", "rehearsal", "training", "evaluation", "logging"), 0.0)
        self._running: tuple[str, float] | None = None
        self._mark: dict[str, Any] | None = None

    def training_seconds(self) -> float:
        """Seconds of training so far, evaluation apart."""
        running = self._running
        return self.seconds["training"] + (time.monotonic() - running[1] if running and running[0] == "training" else 0)

    @contextmanager
    def during(self, part: str) -> Iterator[None]:
        """Count the time of the block as another part: `rehearsal` or `logging`."""
        before = self._running[0] if self._running else None
        self._switch(part)
        try:
            yield
        finally:
            self._switch(before)

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Let a checkpoint's weights be read as they are; a second fit has a clock of its own."""
        widen(trainer, pl_module)
        if stage == "fit" and self.begun:
            self.started, self.begun, self.lost, self._running = time.monotonic(), False, [], None
            self.seconds = dict.fromkeys(self.seconds, 0.0)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Make the directory, start the clock, and cut off rows of metrics.csv that are later than the checkpoint.

        Not earlier: a mistake in data, checkpoint or optimizer must leave no directory behind.
        """
        if trainer.is_global_zero and self.directory is not None and not self.resume:
            self.directory.create()
        for logger in trainer.loggers:
            if self.resume and isinstance(logger, MetricsCSV):
                logger.resume(trainer.global_step, self._mark)
        self._switch("training")

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Count as evaluation from now on."""
        if not trainer.sanity_checking:
            self._switch("evaluation")

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Count as training again, unless this was a validation by itself."""
        if not trainer.sanity_checking:
            self._switch("training" if trainer.state.fn == "fit" else None)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop the clock."""
        self._switch(None)

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock of evaluation."""
        self._switch("evaluation")

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop the clock."""
        self._switch(None)

    def on_predict_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock of evaluation."""
        self._switch("evaluation")

    def on_predict_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop the clock."""
        self._switch(None)

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Stop the clock, if it runs: what goes wrong before is a mistake."""
        if self.begun:
            self._switch(None)

    def state_dict(self) -> dict[str, Any]:
        """Seconds so far."""
        return self.seconds | {"training": self.training_seconds()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Count on from a checkpoint's seconds, but not from those of a checkpoint that is only tested."""
        if self.resume and not self.begun:
            self.seconds.update(state_dict)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Bring the rows so far down to the disk first: the checkpoint counts them, and knows no path of the run."""
        if self.directory is not None:
            checkpoint["callbacks"] = without_place(checkpoint["callbacks"], self.directory.root)
        for logger in trainer.loggers:
            if isinstance(logger, MetricsCSV) and trainer.is_global_zero:
                checkpoint["metrics_csv"] = {"rows": logger.mark(), "lost": self.lost}
            elif isinstance(logger, Dashboard):
                logger.save()

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Check that metrics.csv holds what precedes the checkpoint; one of an earlier version does not say.

        Raises:
            ValueError: rows are missing, or are not as they were written.
        """
        if self.directory is not None:
            checkpoint["callbacks"] = with_place(checkpoint["callbacks"], self.directory.root)
        if not self.resume or trainer.state.fn != "fit" or "metrics_csv" not in checkpoint:
            return
        self.lost, self._mark = list(checkpoint["metrics_csv"]["lost"]), checkpoint["metrics_csv"]["rows"]
        for logger in trainer.loggers:
            if isinstance(logger, MetricsCSV) and trainer.is_global_zero:
                step = checkpoint["global_step"]
                missing = logger.missing(step, checkpoint["metrics_csv"]["rows"])
                if missing and not self.without_rows:
                    raise ValueError(
                        f"{logger.path}: the rows {missing}\n"
                        "put the file back as it was, or go on without them by adding --without_rows to the command"
                    )
                if missing:
                    self.lost.append(f"went on at step {step} where the rows {missing}")

    def _switch(self, part: str | None) -> None:
        now = time.monotonic()
        if not self.begun:
            self.begun = True
            self.seconds["setup"] += now - self.started
        if self._running is not None:
            name, since = self._running
            self.seconds[name] += now - since
        self._running = (part, now) if part else None


def run_record(trainer: pl.Trainer) -> RunRecord | None:
    """The run's RunRecord; None without one."""
    return next((callback for callback in callbacks_of(trainer) if isinstance(callback, RunRecord)), None)


def run_folder(trainer: pl.Trainer) -> Path | None:
    """The run directory, which is there from `on_train_start` on; None without a record."""
    record = run_record(trainer)
    return record.directory.root if record is not None and record.directory is not None else None


def publish(
    trainer: pl.Trainer, name: str, figure: "Figure | None" = None, rows: list[dict[str, Any]] | None = None
) -> None:
    """Write `name`.png and `name`.csv into the run directory, and hand both to the dashboards; on rank 0.

    Args:
        trainer: the run's.
        name: stem of the files, and name at the dashboards.
        figure: figure to save; None leaves it out.
        rows: rows of the table, all with the same keys; None leaves it out.
    """
    folder = run_folder(trainer)
    if folder is None or not trainer.is_global_zero:
        return
    if rows:
        write_csv(folder / f"{name}.csv", rows)
    if figure is not None:
        write_figure(folder / f"{name}.png", figure)
    for logger in trainer.loggers:
        if isinstance(logger, Dashboard) and figure is not None:
            logger.log_figure(name, folder / f"{name}.png", trainer.global_step)
        if isinstance(logger, Dashboard) and rows:
            logger.log_rows(f"{name}_table" if figure is not None else name, rows, trainer.global_step)
