"""A callback that holds a run up at a step until its job is signalled, so that a test knows where it stops."""

import os
import time
from pathlib import Path

import pytorch_lightning as pl

from trainer.signals import requested


class Wait(pl.Callback):
    """Wait in the job's first start, after a step, until a signal has come, or until a file is there.

    Args:
        step: number of the step.
        file: path of a file that ends the wait; "" for a signal alone.
        reached: path of a file that is made once the step is.
    """

    def __init__(self, step: int, reached: str, file: str = "") -> None:
        self.step, self.reached, self.file = step, Path(reached), file

    def on_train_batch_end(self, trainer: pl.Trainer, *_: object) -> None:
        if trainer.global_step != self.step or os.environ.get("SLURM_RESTART_COUNT", "0") != "0":
            return
        self.reached.touch()
        while not requested() and not (self.file and Path(self.file).exists()):
            time.sleep(0.05)
