"""Short runs whose learning rate a callback sets, with each of the eight optimizers, and what the optimizer used."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from datamodules import Digits
from lightning_modules import MLP
from optimizers import BBitMadam, Madam, NesterovRMSprop

OPTIMIZERS: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "SGD": lambda groups: torch.optim.SGD(groups, lr=0.1, momentum=0.9),
    "Adam": lambda groups: torch.optim.Adam(groups, lr=0.1),
    "Adagrad": lambda groups: torch.optim.Adagrad(groups, lr=0.1),
    "RMSprop": lambda groups: torch.optim.RMSprop(groups, lr=0.1),
    "Adadelta": lambda groups: torch.optim.Adadelta(groups, lr=0.1),
    "Madam": lambda groups: Madam(groups, lr=0.1, zero_tensors="sgd"),
    "BBitMadam": lambda groups: BBitMadam(groups, lr=0.1, zero_tensors="sgd"),
    "NesterovRMSprop": lambda groups: NesterovRMSprop(groups, lr=0.1),
}


class Spy(pl.Callback):
    """Notes each group's rate and momentum, as the optimizer used them."""

    def __init__(self) -> None:
        self.rates: list[list[float]] = []
        self.momenta: list[float] = []

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        groups = trainer.optimizers[0].param_groups
        self.rates.append([group["lr"] for group in groups])
        self.momenta.append(groups[0]["betas"][0] if "betas" in groups[0] else groups[0].get("momentum"))


def fit(
    callbacks: list[pl.Callback],
    optimizer: str = "SGD",
    steps: int = 5,
    ratios: dict[str, float] | None = None,
    checkpoint: Path | None = None,
    data: Any = None,
    logger: Any = False,
) -> tuple[pl.Trainer, MLP]:
    """Some steps of a small network on digits."""
    torch.manual_seed(0)
    model = MLP(hidden_sizes=[8], lr_ratios=ratios, num_classes=10, in_channels=1, image_size=8)
    model.optimizer_factory = OPTIMIZERS[optimizer]
    trainer = pl.Trainer(
        max_steps=steps, max_epochs=-1, callbacks=callbacks, logger=logger, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, accelerator="cpu", log_every_n_steps=2,
        limit_val_batches=0,
    )  # fmt: skip
    kwargs = {"datamodule": Digits(batch_size=64)} if data is None else {"train_dataloaders": data}
    trainer.fit(model, **kwargs, ckpt_path=checkpoint, weights_only=True)
    return trainer, model


class Batches:
    """Data from elsewhere, which know no passes."""

    def __len__(self) -> int:
        return 5

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return iter([(torch.ones(4, 1, 8, 8), torch.arange(4))] * 5)
