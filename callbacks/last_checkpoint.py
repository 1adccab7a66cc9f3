"""The checkpoint to resume from, written during epochs, at their ends, and when the run is stopped."""

from contextlib import ExitStack
from pathlib import Path

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Checkpoint

from trainer.fit_loop import UnbrokenFitLoop
from trainer.signals import RunStopped, deferred, follow, job_ends, requested

AGREE_EVERY = 20  # steps between two exchanges of whether to stop; in each, all processes wait for each other


class LastCheckpoint(Checkpoint):
    """Save `last.ckpt` every so many steps, at the end of each epoch, and on a signal, which then ends the run.

    After a signal the current step is finished, and so is the epoch's end or the validation that follows it: a
    checkpoint never stands between a step and what belongs to it. Another one, a second later or more, ends the process
    at once. Several processes agree on stopping every 20 steps. It logs no keys.

    Args:
        path: path of the checkpoint.
        every_n_steps: steps between two checkpoints within an epoch.
    """

    def __init__(self, path: Path, every_n_steps: int = 500) -> None:
        if every_n_steps < 1:
            raise ValueError(f"checkpoint_every must be at least 1 step, got {every_n_steps}")
        self.path, self.every_n_steps = path, every_n_steps
        self._signals = ExitStack()

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Refuse a trainer whose loop does not say when a step is settled.

        Raises:
            ValueError: it is Lightning's own.
        """
        if stage == "fit" and not isinstance(trainer.fit_loop, UnbrokenFitLoop):
            raise ValueError("LastCheckpoint needs the loop of `cadence fit`: take ModelCheckpoint(save_last=True)")

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Let signals wait for the end of a step from now on."""
        self._signals.enter_context(deferred())

    def on_settled(self, trainer: pl.Trainer, milestone: bool) -> None:
        """Save if it is due: nothing is owed after this step."""
        if milestone or trainer.global_step % self.every_n_steps == 0 or self._stop(trainer):
            trainer.save_checkpoint(self.path)
            if self._stop(trainer, now=True):
                raise RunStopped(agreed=True)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop here if a signal has come after the last checkpoint."""
        self._signals.close()
        if self._stop(trainer, now=True):
            raise RunStopped(agreed=True)

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Leave the signals as they were."""
        self._signals.close()

    def _stop(self, trainer: pl.Trainer, now: bool = False) -> bool:
        if trainer.world_size == 1:
            return requested()
        if not now and trainer.global_step % AGREE_EVERY:
            return False
        agree = trainer.strategy.reduce_boolean_decision
        if not agree(requested(), all=False):
            return False
        follow(agree(job_ends(), all=False))
        return True
