"""Somebody else's module and data, as Lightning's documentation writes them, and commands in their folder."""

import csv
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

from tests.forked import Done, forked

HOUSE = Path(__file__).resolve().parents[2]
CODE = """
import pytorch_lightning as L
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset


class LitClassifier(L.LightningModule):
    def __init__(self, width: int = 8, learning_rate: float = 0.1):
        super().__init__()
        self.learning_rate = learning_rate
        self.l1 = torch.nn.Linear(64, width)
        self.l2 = torch.nn.Linear(width, 4)

    def forward(self, x):
        return self.l2(torch.relu(self.l1(x.flatten(1))))

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        x, y = batch
        scores = self(x)
        self.log("val_loss", F.cross_entropy(scores, y))
        self.log("val_acc", (scores.argmax(1) == y).float().mean())

    def test_step(self, batch, batch_idx):
        x, y = batch
        self.log("test_acc", (self(x).argmax(1) == y).float().mean())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.learning_rate)


class LitManual(LitClassifier):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False

    def training_step(self, batch, batch_idx):
        opt = self.optimizers()
        opt.zero_grad()
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.manual_backward(loss)
        opt.step()
        self.log("train_loss", loss)


class LitData(L.LightningDataModule):
    def __init__(self, batch_size: int = 32):
        super().__init__()
        self.batch_size = batch_size

    def setup(self, stage):
        x = torch.randn(500, 1, 8, 8, generator=torch.Generator().manual_seed(0))
        self.set = TensorDataset(x, x.flatten(1)[:, :4].argmax(1))

    def loader(self, begin, end, shuffle=False):
        return DataLoader(torch.utils.data.Subset(self.set, range(begin, end)), self.batch_size, shuffle=shuffle)

    def train_dataloader(self):
        return self.loader(0, 300, shuffle=True)

    def val_dataloader(self):
        return self.loader(300, 400)

    def test_dataloader(self):
        return self.loader(400, 500)
"""


def written(folder: Path, more: str = "") -> Path:
    """The folder, with the code and what a test adds to it in `theirs.py`."""
    (folder / "theirs.py").write_text(CODE + more)
    return folder


def cadence(folder: Path, *arguments: object) -> Done:
    """A command in their folder, in which Lightning's own warnings are no errors."""
    return forked(*arguments, cwd=folder, limit=30, first=lambda: warnings.simplefilter("default"))


def processes(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """A command of several processes, which start each other by its command line."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MASTER_ADDR": "127.0.0.1"}
    command = [sys.executable, str(HOUSE / "cli.py"), *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, env=environment)


def words(*options: object, model: str = "LitClassifier", data: str = "LitData", run: str = "run") -> list[object]:
    """A fit of theirs, of two passes of ten steps if the options do not say otherwise."""
    common = ["--trainer.max_epochs", 2, "--trainer.log_every_n_steps", 5, "--trainer.enable_progress_bar", "false"]
    theirs = ["fit", "--model", f"theirs.{model}", "--data", f"theirs.{data}"]
    return [*theirs, *common, "--trainer.accelerator", "cpu", *options, "--run_dir", run]


def fit(folder: Path, *options: object, model: str = "LitClassifier", data: str = "LitData", run: str = "run") -> Done:
    """The command of `words`."""
    return cadence(folder, *words(*options, model=model, data=data, run=run))


def result(run: Path, name: str = "result.json") -> dict[str, Any]:
    """Content of a run's result.json."""
    return json.loads((run / name).read_text())


def rows(run: Path) -> list[dict[str, str]]:
    """Rows of a run's metrics.csv, without their seconds."""
    with (run / "metrics.csv").open() as file:
        return [{name: value for name, value in row.items() if name != "seconds"} for row in csv.DictReader(file)]
