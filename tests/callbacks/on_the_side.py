"""A run on the digits whose trainer a test may use, as a range test does."""

from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
import torch

from datamodules import Digits
from lightning_modules.classifier import ImageClassifier


def on_the_side(model: ImageClassifier, act: Callable[[pl.Trainer], Any], lr: float = 0.1, **trainer: Any) -> Any:
    """Begin to train, call `act` with the trainer before the first step, and return its answer."""
    answers = []

    class Act(pl.Callback):
        def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
            answers.append(act(trainer))

    model.optimizer_factory = lambda groups: torch.optim.SGD(groups, lr=lr)
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    settings = {"accelerator": "cpu", "max_steps": 1, "enable_model_summary": False, "limit_val_batches": 0}
    pl.Trainer(**quiet, **settings, use_distributed_sampler=False, callbacks=[Act()], **trainer).fit(model, Digits())
    return answers[0]
