"""The checkpoint to resume from, written during epochs, at their ends, and when the run is stopped."""

import signal
import threading
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Checkpoint

from trainer.signals import RunStopped

AGREE_EVERY = 20  # steps between two exchanges of whether to stop; in each, all processes wait for each other


class LastCheckpoint(Checkpoint):
    """Save `last.ckpt` every so many steps, at the end of each epoch, and on SIGINT or SIGTERM, which then end the run.

    After a signal the current step is finished, and so is the epoch's end or the validation that follows it: a
    checkpoint never stands between a step and what belongs to it. A second signal ends the process at once. Several
    processes agree on stopping every 20 steps. It logs no keys.

    Args:
        path: path of the checkpoint.
        every_n_steps: steps between two checkpoints within an epoch.
    """

    def __init__(self, path: Path, every_n_steps: int = 500) -> None:
        if every_n_steps < 1:
            raise ValueError(f"checkpoint_every must be at least 1 step, got {every_n_steps}")
        self.path, self.every_n_steps = path, every_n_steps
        self.stop_requested = False
        self._handlers: dict[int, Any] = {}

    def request_stop(self, *_: Any) -> None:
        """Let the run save and end after the current step; the second call ends it at once."""
        if self.stop_requested:
            self._restore_handlers()
            raise KeyboardInterrupt
        self.stop_requested = True

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Handle signals from now on."""
        self.stop_requested = False
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._handlers[number] = signal.signal(number, self.request_stop)

    def on_settled(self, trainer: pl.Trainer, milestone: bool) -> None:
        """Save if it is due: nothing is owed after this step."""
        if milestone or trainer.global_step % self.every_n_steps == 0 or self._stop(trainer):
            trainer.save_checkpoint(self.path)
            if self._stop(trainer, now=True):
                raise RunStopped

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Leave the signals as they were."""
        self._restore_handlers()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Leave the signals as they were."""
        self._restore_handlers()

    def _stop(self, trainer: pl.Trainer, now: bool = False) -> bool:
        if trainer.world_size == 1:
            return self.stop_requested
        if not now and trainer.global_step % AGREE_EVERY:
            return False
        return trainer.strategy.reduce_boolean_decision(self.stop_requested, all=False)

    def _restore_handlers(self) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers.clear()
