"""A run on the digits whose trainer a test may use, as a range test does; and a rehearsal that is none."""

from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
import torch

from callbacks import BatchSizeRangeTest
from callbacks.range_tests.batch_size_outcome import BatchSizeOutcome
from callbacks.range_tests.batch_size_trainings import Trained
from callbacks.range_tests.trials import Trial, Trials
from datamodules import Digits
from lightning_modules import MLP
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


def measured(sizes: list[int], steps: int, model: dict | None = None, **settings: object) -> list[Trained]:
    """Trainings of one seed, on softmax regression unless told otherwise."""
    test = BatchSizeRangeTest(sizes, steps, noise_scale=False, **settings)
    torch.manual_seed(0)
    outcome: BatchSizeOutcome = on_the_side(MLP(1, 8, 10, **({"hidden_sizes": []} | (model or {}))), test.measure)
    return outcome.trainings[0]


class Scripted:
    """A rehearsal whose losses are given."""

    def __init__(self, losses: list[float]) -> None:
        self.losses = losses

    def step(self, number: int, lr: float) -> torch.Tensor:
        return torch.tensor(self.losses[number], dtype=torch.float64)

    def held_out(self) -> dict[str, float]:
        return {"loss": -1.0}


def scripted(losses: list[float], progress: Callable[[int], None] = lambda steps: None) -> Trial:
    """A trial whose losses are given."""
    return Trials(progress)("scripted", lambda: Scripted(losses))
