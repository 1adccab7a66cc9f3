"""What a callback leaves in the run directory beside the record: figures and tables, shown to the loggers too."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl

from callbacks.run_record import RunRecord
from records.tables import write_csv

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def run_record(trainer: pl.Trainer) -> RunRecord | None:
    """The callback that keeps the run's record, where there is one."""
    callbacks: list[pl.Callback] = trainer.callbacks  # type: ignore[attr-defined]  # Lightning sets it undeclared
    return next((callback for callback in callbacks if isinstance(callback, RunRecord)), None)


def run_folder(trainer: pl.Trainer) -> Path | None:
    """The run directory, made by then (from `on_train_start` on); None without a record."""
    record = run_record(trainer)
    return record.directory.root if record is not None and record.directory is not None else None


def publish(
    trainer: pl.Trainer, name: str, figure: "Figure | None" = None, rows: list[dict[str, Any]] | None = None
) -> None:
    """Write `name`.png and `name`.csv into the run directory, and hand both to loggers that take them; on rank 0.

    Args:
        trainer: whose run it is.
        name: of the files, and of the entry at the loggers.
        figure: drawn, or None.
        rows: of a table, all with the same keys, or None.
    """
    folder = run_folder(trainer)
    if folder is None or not trainer.is_global_zero:
        return
    if rows:
        write_csv(folder / f"{name}.csv", rows)
    if figure is not None:
        figure.savefig(folder / f"{name}.png", dpi=150)
    for logger in trainer.loggers:
        if figure is not None and hasattr(logger, "log_figure"):
            logger.log_figure(name, folder / f"{name}.png")
        if rows and hasattr(logger, "log_rows"):
            logger.log_rows(f"{name}_table" if figure is not None else name, rows)
