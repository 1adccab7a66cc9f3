"""Rows that callbacks add to the loggers, when the module adds its own."""

import pytorch_lightning as pl


def row_due(trainer: pl.Trainer) -> bool:
    """Whether the step just done is one that is logged."""
    return trainer.global_step % trainer.log_every_n_steps == 0  # type: ignore[attr-defined]  # set undeclared


def log_row(trainer: pl.Trainer, values: dict[str, float]) -> None:
    """Hand values to every logger, keyed by the number of finished steps."""
    for logger in trainer.loggers:
        logger.log_metrics(values, step=trainer.global_step)
