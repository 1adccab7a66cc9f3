"""Make what the network itself draws (dropout) a function of (seed, step)."""

import hashlib
from typing import Any

import pytorch_lightning as pl
import torch

from callbacks._step_hooks import without_idle_step_hooks


def step_key(seed: int, step: int, rank: int) -> int:
    """A 63-bit generator seed for (seed, step, rank); neighbours share nothing."""
    digest = hashlib.blake2b(f"{seed}/{step}/{rank}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def seed_generators(key: int, device: torch.device) -> None:
    """Seed torch's generator on the host and the one on `device`.

    Not `torch.manual_seed`: while CUDA is not in use, it queues a call with its stack trace each time.
    """
    torch.default_generator.manual_seed(key)
    if device.type != "cpu":
        torch.get_device_module(device).manual_seed(key)


@without_idle_step_hooks
class RekeyedRandomness(pl.Callback):
    """Seed torch's generators before each step with a key of (seed, step, rank).

    Checkpoints hold no generator state, and none is needed: step t draws the same masks whether the run came there in
    one go, after a resume, or with another validation in between. It logs no keys.

    Args:
        seed: of the run.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Re-key the host's generator and the device's."""
        seed_generators(step_key(self.seed, trainer.global_step, trainer.global_rank), trainer.strategy.root_device)
