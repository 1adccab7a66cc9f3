"""Keep the checkpoint of the best validation accuracy."""

import math
from pathlib import Path
from typing import Any, ClassVar

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Checkpoint

from callbacks.divergence_watch import finite_weights


class BestCheckpoint(Checkpoint):
    """Save `best.ckpt` after each validation that is better than all before; of equals, the first stays.

    A metric that is no number, or weights that are none, are never the best.

    A run without validation, or a module that logs no such metric, has no best checkpoint. Lightning's ModelCheckpoint
    can do more; it ends such a run with an error, and forgets the best score where the run directory was moved. It logs
    no keys.

    Args:
        dirpath: folder of `best.ckpt`.
        monitor: name of the metric.
        mode: whether larger (`max`) or smaller (`min`) is better.
    """

    monitor_may_be_missing: ClassVar[bool] = True

    def __init__(self, dirpath: str | Path, monitor: str = "val/accuracy", mode: str = "max") -> None:
        if mode not in ("max", "min"):
            raise ValueError(f"mode must be max or min, got {mode!r}: max suits an accuracy")
        self.dirpath, self.monitor, self.mode = Path(dirpath), monitor, mode
        self.best: float | None = None

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Forget what an earlier fit in this process has found best; a checkpoint's past comes after this."""
        if stage == "fit":
            self.best = None

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save if the metric is there, finite and better, and so are the weights."""
        if trainer.state.fn != "fit" or trainer.sanity_checking or self.monitor not in trainer.callback_metrics:
            return
        score = float(trainer.callback_metrics[self.monitor])
        better = self.best is None or (score > self.best if self.mode == "max" else score < self.best)
        if math.isfinite(score) and better and finite_weights(trainer, pl_module):
            self.best = score
            trainer.save_checkpoint(self.dirpath / "best.ckpt")

    def state_dict(self) -> dict[str, Any]:
        """The best score so far."""
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from the best score so far."""
        self.best = state_dict["best"]
