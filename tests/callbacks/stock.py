"""A module, data and a run as Lightning's documentation writes them, with nothing of Cadence's."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

LABELS = torch.arange(300) % 4
_DRAWN = torch.Generator().manual_seed(0)
IMAGES = torch.randn(4, 1, 8, 8, generator=_DRAWN)[LABELS] + torch.randn(300, 1, 8, 8, generator=_DRAWN)
PRECISIONS = ("32-true", "64-true", "bf16-mixed")


class LitNet(pl.LightningModule):
    def __init__(self, lr: float = 0.1) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2))
        self.head = nn.Linear(16, 4)
        self.seen: list[float] = []
        self.training_step_outputs: list[torch.Tensor] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.net(x))

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        x, y = batch
        self.seen.append(float(x.double().sum()) + random.random() + float(np.random.rand()))
        loss = F.cross_entropy(self(x.to(self.dtype)), y)
        self.training_step_outputs.append(loss)
        self.log("train_loss", loss, prog_bar=True)
        self.log_dict({"epoch": float(self.current_epoch), "step": float(self.trainer.global_step)})
        if self.logger is not None:
            self.logger.log_metrics({"mine": loss.item()}, step=self.global_step)
        return loss

    def on_train_epoch_end(self) -> None:
        self.log("mean", torch.stack(self.training_step_outputs).mean())
        self.training_step_outputs.clear()

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        z = self(x.to(self.dtype))
        self.log("val_loss", F.cross_entropy(z, y), prog_bar=True)
        self.log("val_acc", (z.argmax(1) == y).float().mean())

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=self.hparams.lr, momentum=0.9)


class ManualNet(LitNet):
    """Manual optimization with one optimizer, in the usual order of the documentation."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False

    def training_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        self.seen.append(float(x.double().sum()))
        opt = self.optimizers()
        loss = F.cross_entropy(self(x.to(self.dtype)), y)
        opt.zero_grad()
        self.manual_backward(loss)
        self.clip_gradients(opt, gradient_clip_val=0.5, gradient_clip_algorithm="norm")
        opt.step()
        self.log("train_loss", loss)

    def on_train_epoch_end(self) -> None:
        pass


class TwoOptimizers(ManualNet):
    def configure_optimizers(self) -> Any:
        return [torch.optim.SGD(part.parameters(), lr=0.1) for part in (self.net, self.head)]

    def training_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        first, second = self.optimizers()
        for opt in (first, second):
            opt.zero_grad()
        self.manual_backward(F.cross_entropy(self(x), y))
        first.step()
        second.step()


class Noisy(Dataset):
    """Samples that draw from the global generators, and from one of their own."""

    def __init__(self) -> None:
        self.generator, self.read = np.random.default_rng(3), 0

    def __len__(self) -> int:
        return len(IMAGES)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        self.read += 1
        noise = torch.rand(1) + random.random() + np.random.rand() + self.generator.random()
        return IMAGES[index] + 0.01 * noise.float(), LABELS[index]


class Endless(IterableDataset):
    def __init__(self) -> None:
        self.given = 0

    def __iter__(self) -> Any:
        for index in range(10_000):
            self.given += 1
            yield IMAGES[index % 300], LABELS[index % 300]


def loader(kind: str = "plain", workers: int = 0) -> DataLoader:
    data: Any = {"noisy": Noisy, "iterable": Endless}.get(kind, lambda: TensorDataset(IMAGES, LABELS))()
    if kind == "iterable":
        return DataLoader(data, 32, num_workers=workers)
    if kind == "generator":
        return DataLoader(data, 32, shuffle=True, generator=torch.Generator().manual_seed(5), num_workers=workers)
    if kind == "weighted":
        sampler = torch.utils.data.WeightedRandomSampler([1.0] * 150 + [0.0] * 150, 300)
        return DataLoader(data, 32, sampler=sampler, num_workers=workers)
    return DataLoader(data, 32, shuffle=True, num_workers=workers)


class LitData(pl.LightningDataModule):
    def train_dataloader(self) -> DataLoader:
        return loader()

    def val_dataloader(self) -> DataLoader:
        return DataLoader(TensorDataset(IMAGES[:100], LABELS[:100]), 50)


def trainer(*callbacks: pl.Callback, **options: Any) -> pl.Trainer:
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}
    return pl.Trainer(
        accelerator="cpu", callbacks=list(callbacks), **{"max_epochs": 2, "logger": False} | quiet | options
    )


def fitted(make: Callable[[], pl.LightningModule], data: Any = None, *callbacks: pl.Callback, **options: Any) -> Any:
    """The trainer of a fit from a seed; `data` makes a loader or a datamodule."""
    path = options.pop("ckpt_path", None)
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)
    run, module, given = trainer(*callbacks, **options), make(), (data or loader)()
    if isinstance(given, pl.LightningDataModule):
        run.fit(module, datamodule=given, ckpt_path=path)
    else:
        run.fit(module, given, DataLoader(TensorDataset(IMAGES[:100], LABELS[:100]), 50), ckpt_path=path)
    return run
