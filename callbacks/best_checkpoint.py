"""Keep the checkpoint of the best validation accuracy."""

from pathlib import Path

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ModelCheckpoint

from trainer.step_hooks import without_idle_step_hooks


@without_idle_step_hooks
class BestCheckpoint(ModelCheckpoint):
    """Save `best.ckpt` after each validation that beats all before; of equals, the first stays.

    Lightning's ModelCheckpoint, except that a run without validation, or a module that logs no such metric, is no
    error: it has no best checkpoint. It logs no keys.

    Args:
        dirpath: where `best.ckpt` goes.
        monitor: the metric.
        mode: whether larger (`max`) or smaller (`min`) is better.
    """

    def __init__(self, dirpath: str | Path, monitor: str = "val/accuracy", mode: str = "max") -> None:
        super().__init__(
            dirpath=dirpath,
            filename="best",
            monitor=monitor,
            mode=mode,
            save_on_train_epoch_end=False,
            enable_version_counter=False,
        )

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Forget what an earlier fit in this process has found best; a checkpoint's past comes after this."""
        if stage == "fit":
            assert self.dirpath is not None and self.monitor is not None
            vars(self).update(vars(BestCheckpoint(self.dirpath, self.monitor, self.mode)))
        super().setup(trainer, pl_module, stage)

    on_train_batch_end = None  # type: ignore[assignment]  # nothing is saved between validations

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save if the metric is there and better."""
        if self.monitor in trainer.callback_metrics:
            super().on_validation_end(trainer, pl_module)
