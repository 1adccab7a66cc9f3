"""The gradient scaler of 16-mixed: a step that it skips is tried again on the same batch, with half the scale.

Steps decide samples, draws and schedules, so a skipped one must neither be counted nor lose its batch: the run makes
the steps that it would make had the scale fitted from the start.
"""

from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.core.optimizer import LightningOptimizer
from torch import Tensor

SMALLEST = 2.0**-24  # scale below which no gradient that means anything overflows


def scaler_of(trainer: pl.Trainer) -> torch.amp.GradScaler | None:
    """The gradient scaler; None in precisions that need none."""
    return getattr(trainer.precision_plugin, "scaler", None)


def loss_scale(trainer: pl.Trainer) -> float:
    """Factor that a scaler puts on the loss, and so on the gradients before the optimizer's step; 1 without one."""
    scaler = scaler_of(trainer)
    return 1.0 if scaler is None else float(scaler.get_scale())


class ScaledSteps:
    """Optimizer steps under a gradient scaler, if there is one, and how many of them it has skipped.

    Attributes:
        skipped: number of tries of the run whose gradient was not finite, over all processes the same.
    """

    def __init__(self) -> None:
        self.skipped = 0

    def step(self, trainer: pl.Trainer, optimizer: LightningOptimizer, losses: Sequence[Tensor]) -> bool:
        """One optimizer step by Lightning's own way.

        Args:
            trainer: the run's.
            optimizer: its optimizer, with gradients.
            losses: losses of the batch; where one is not finite no scale helps, and the step counts as made.

        Returns:
            Whether the step counts; if not, gradients are wanted anew.

        Raises:
            ValueError: the losses are finite, and the gradient is at no scale.
        """
        scaler, before = scaler_of(trainer), loss_scale(trainer)
        optimizer.step()
        if scaler is None or float(scaler.get_scale()) >= before:
            return True
        self.skipped += 1
        finite = all(bool(loss.isfinite().all()) for loss in losses)
        if not trainer.strategy.reduce_boolean_decision(finite):
            return True
        if loss_scale(trainer) < SMALLEST:
            raise ValueError(
                f"trainer.precision: the gradient of step {trainer.global_step} is not finite at any loss scale, "
                "though the loss is: set it to bf16-mixed"
            )
        progress: Any = trainer.fit_loop.epoch_loop.manual_optimization.optim_step_progress
        for counted in (progress.total, progress.current):
            counted.ready -= 1
            counted.completed -= 1
        return False

    def values(self, trainer: pl.Trainer) -> dict[str, float]:
        """What a row of metrics has of it; empty without a scaler."""
        if scaler_of(trainer) is None:
            return {}
        return {"train/skipped_steps": self.skipped, "train/loss_scale": loss_scale(trainer)}
