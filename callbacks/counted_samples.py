"""Passes and samples of a run whose data come from somebody else's loaders: counted, as no stream says them."""

from typing import Any

import pytorch_lightning as pl
from torch import Tensor

from trainer.access import stream_of
from trainer.counting import position_of


class CountedSamples(pl.Callback):
    """Count what somebody else's loader gives: rows of metrics.csv then say `epoch` and `samples`.

    A batch's size is the length of the first tensor in it; processes are taken to have as many samples each. The count
    is kept in checkpoints. It logs no keys.
    """

    def __init__(self) -> None:
        self.samples = 0
        self.epochs = 0.0

    def position(self, step: int) -> tuple[float, int]:
        """Passes over the data and samples so far, whatever step is asked for."""
        return self.epochs, self.samples

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Forget an earlier fit in this process; a checkpoint's count comes after this."""
        if stage == "fit":
            self.samples, self.epochs = 0, 0.0

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count a batch; a loader that does not know its length counts no part of a pass, and a stream knows all."""
        if stream_of(trainer) is not None:
            _, self.samples, epochs = position_of(trainer)
            self.epochs = round(epochs, 6)
            return
        self.samples += _size(batch) * trainer.world_size
        batches = trainer.num_training_batches
        part = (batch_idx + 1) / batches if batches not in (0, float("inf")) else 0.0
        self.epochs = round(trainer.current_epoch + part, 6)

    def state_dict(self) -> dict[str, Any]:
        """The count so far."""
        return {"samples": self.samples, "epochs": self.epochs}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a count."""
        self.samples, self.epochs = int(state_dict["samples"]), float(state_dict["epochs"])


def _size(batch: Any) -> int:
    """Length of the first tensor of a batch, however it is nested; 0 without one."""
    if isinstance(batch, Tensor):
        return len(batch) if batch.dim() else 1
    parts = batch.values() if isinstance(batch, dict) else batch if isinstance(batch, list | tuple) else ()
    return next((size for part in parts if (size := _size(part))), 0)
