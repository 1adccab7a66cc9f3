"""A stop from outside, at a step that a test chooses."""

import pytorch_lightning as pl

from trainer.signals import request


class StopAfter(pl.Callback):
    """Asks for a stop after a step, as a signal would."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_end(self, trainer: pl.Trainer, *_: object) -> None:
        if trainer.global_step == self.step:
            request()
