"""Make what the network itself draws (dropout) a function of (seed, step)."""

from typing import Any

import pytorch_lightning as pl

from datamodules.transforms import Pipeline
from lightning_modules import ImageClassifier
from lightning_modules.shared_dropout import RowShare, share_dropout
from timeline.keys import seed_generators, step_key
from trainer.access import datamodule_of, stream_of


class RekeyedRandomness(pl.Callback):
    """Seed torch's generators before each step with a key of (seed, step).

    Checkpoints hold no generator state, and need none: step t draws the same masks in an unbroken run, in a resumed
    one, and with another validation before it. Several processes draw the masks of the whole batch, and each takes
    its rows of them: the masks are those of one process. Not so with `model.micro_batch_size`, whose chunks lie
    otherwise, nor in a model of somebody else's: each process then has its own key. It logs no keys.

    Args:
        seed: seed of the run.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._share: RowShare | None = None

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Find out whether the processes of a run can draw together."""
        self._share = None
        if stage == "fit" and trainer.world_size > 1 and isinstance(pl_module, ImageClassifier):
            self._share = share_dropout(pl_module) if pl_module.micro_batch_size is None else None

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Re-key the host's generator and the device's."""
        device, rank, stream = trainer.strategy.root_device, trainer.global_rank, stream_of(trainer)
        transforms = getattr(datamodule_of(trainer), "train_transforms", None)  # a stranger's data have none
        if self._share is not None and stream is not None and isinstance(transforms, Pipeline):
            samples = stream.size(trainer.global_step)
            rows, places = transforms.share(rank, trainer.world_size, samples)
            self._share.take(rows, places, device)
            rank = 0
        seed_generators(step_key(self.seed, trainer.global_step, rank), device)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Let each process draw by itself again."""
        if self._share is not None:
            self._share.own = None

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Also after an error or a stop."""
        self.on_train_end(trainer, pl_module)
