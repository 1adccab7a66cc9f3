"""Make what the network itself draws (dropout) a function of (seed, step)."""

from typing import Any

import pytorch_lightning as pl

from timeline.keys import seed_generators, step_key


class RekeyedRandomness(pl.Callback):
    """Seed torch's generators before each step with a key of (seed, step, rank).

    Checkpoints hold no generator state, and need none: step t draws the same masks in an unbroken run, in a resumed
    one, and with another validation before it. It logs no keys.

    Args:
        seed: seed of the run.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Re-key the host's generator and the device's."""
        seed_generators(step_key(self.seed, trainer.global_step, trainer.global_rank), trainer.strategy.root_device)
