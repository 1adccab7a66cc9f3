"""What Lightning's callbacks log is keyed as all rows are: by the number of finished steps."""

import pytorch_lightning as pl
from pytorch_lightning.loops.training_epoch_loop import _TrainingEpochLoop
from pytorch_lightning.trainer.connectors.logger_connector import _LoggerConnector


class FinishedSteps(_TrainingEpochLoop):
    """An epoch loop whose count for logs is of finished steps: the one about to be done counts from its batch on.

    Lightning's own count is behind by one until a step's validation is over, so that its callbacks' values of step 5
    would come under 4, behind the row of 5. What gradients are accumulated over belongs to the step that they end in.
    """

    @property
    def _batches_that_stepped(self) -> int:
        batches = self.batch_progress.current
        return self.trainer.global_step + (batches.ready > batches.processed)  # type: ignore[attr-defined]

    @_batches_that_stepped.setter
    def _batches_that_stepped(self, value: int) -> None:
        """Lightning counts by itself, and restores its count."""


class _Connector(_LoggerConnector):
    """Lightning's, which says whether a row is due by that count."""

    @property
    def should_update_logs(self) -> bool:
        loop = self.trainer.fit_loop.epoch_loop
        if self.trainer._active_loop is not self.trainer.fit_loop or not isinstance(loop, FinishedSteps):
            return super().should_update_logs
        every = self.trainer.log_every_n_steps  # type: ignore[attr-defined]
        return bool(every) and (loop._batches_that_stepped % every == 0 or self.trainer.should_stop)


def key_by_finished_steps(trainer: pl.Trainer) -> None:
    """Let a trainer's callbacks log by the count of its epoch loop, which is a `FinishedSteps`."""
    trainer._logger_connector.__class__ = _Connector
