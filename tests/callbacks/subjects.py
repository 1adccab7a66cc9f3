"""Every callback of the house, as a configuration or a command makes it, and a short run to hold it to its contract."""

import hashlib
import inspect
import pkgutil
import random
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, Checkpoint, ProgressBar
from pytorch_lightning.loggers.logger import Logger

import callbacks
from callbacks import (
    BestCheckpoint,
    CountedSamples,
    DivergenceWatch,
    LastCheckpoint,
    RekeyedRandomness,
    RunHistory,
    RunRecord,
    StartFrom,
    TrainingProgress,
)
from datamodules import Digits, ImageDataModule
from lightning_modules import MLP, ImageClassifier
from records.checkpoint_io import AtomicCheckpointIO
from records.run_directory import RunDirectory
from trainer.epoch_loop import shorten

# What a user names in a configuration, with options that make a short run of it.
IN_YAML: dict[str, dict[str, Any]] = {
    "BatchAugmentedCutout": {"copies": 2, "size": 3},
    "BatchSizeRangeTest": {"sizes": [16, 32, 64], "steps": 2},
    "CyclicalBatchSize": {"half_cycle": 0.5, "lower": 16, "upper": 64},
    "CyclicalLR": {"half_cycle": 0.5, "lower": 0.01, "upper": 0.2, "cycle_momentum": [0.8, 0.9]},
    "LRRangeTest": {"steps": 20, "seeds": 1},
    "MultiStepLR": {"milestones": [0.5]},
    "TimeToTarget": {"accuracy": 0.2, "warm_up_steps": 2},
}
# What is trained on, or drawn by the network, is not what it would be without these; every other callback looks on.
CHANGE_THE_RUN = {
    "BatchAugmentedCutout", "CyclicalBatchSize", "CyclicalLR", "MultiStepLR", "RekeyedRandomness", "StartFrom",
}  # fmt: skip
# What the commands put into every run themselves, with their arguments (commands/session.py); `again`: a resumed run.
OF_THE_HOUSE: dict[str, Callable[[Path, bool], Callback]] = {
    "BestCheckpoint": lambda folder, again: BestCheckpoint(RunDirectory(folder).checkpoints),
    "CountedSamples": lambda folder, again: CountedSamples(),
    "DivergenceWatch": lambda folder, again: DivergenceWatch(),
    "LastCheckpoint": lambda folder, again: LastCheckpoint(RunDirectory(folder).last, 500),
    "RekeyedRandomness": lambda folder, again: RekeyedRandomness(1),
    "RunHistory": lambda folder, again: RunHistory(RunDirectory(folder), "seed_everything: 1\n", "fit"),
    "RunRecord": lambda folder, again: RunRecord(RunDirectory(folder), again, time.monotonic()),
    "StartFrom": lambda folder, again: StartFrom(*weights_to_start_from(folder.parent / "parent.ckpt")),
    "TrainingProgress": lambda folder, again: TrainingProgress(),
}
SUBJECTS = [*IN_YAML, *OF_THE_HOUSE]


def weights_to_start_from(path: Path) -> tuple[Path, str]:
    """A checkpoint of other weights than `begun` has, and its digest."""
    with torch.random.fork_rng():
        torch.manual_seed(2)
        model = MLP(in_channels=1, image_size=8, num_classes=10, hidden_sizes=[8])
    path.parent.mkdir(parents=True, exist_ok=True)
    AtomicCheckpointIO().save_checkpoint({"state_dict": model.state_dict()}, path)
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


def in_the_package() -> set[str]:
    """Names of all callbacks that are defined in the package, exported or not, bases apart."""
    modules = [import_module(found.name) for found in pkgutil.walk_packages(callbacks.__path__, "callbacks.")]
    classes = [(module, kind) for module in modules for _, kind in inspect.getmembers(module, inspect.isclass)]
    return {
        kind.__name__
        for module, kind in classes
        if issubclass(kind, Callback) and kind.__module__ == module.__name__ and not is_base(kind)
    }


def is_base(kind: type) -> bool:
    """Whether a class leaves something to those that inherit from it."""
    return any(getattr(getattr(kind, name), "__isabstractmethod__", False) for name in dir(kind))


def make(name: str, folder: Path, again: bool = False) -> Callback:
    """A callback of a run whose directory is `folder`."""
    if name in OF_THE_HOUSE:
        return OF_THE_HOUSE[name](folder, again)
    return getattr(callbacks, name)(**IN_YAML[name])


class Rows(Logger):
    """Keeps all that is logged, by step."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[int | None, dict[str, float]] = {}

    name = "rows"
    version = 0

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        kept = {key: float(value) for key, value in metrics.items() if "seconds" not in key}
        self.rows.setdefault(step, {}).update(kept)

    def log_hyperparams(self, *_: Any, **__: Any) -> None:
        """Nothing."""


class Run(NamedTuple):
    """What a short run was and gave."""

    trainer: pl.Trainer
    model: MLP
    data: Digits
    rows: dict[int | None, dict[str, float]]


def begun(callback: Callback | None, folder: Path, data: Digits | None = None, **more: Any) -> Run:
    """A run that is ready to train: one pass over the digits, with dropout, and a record beside the callback."""
    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(1)
    model = MLP(in_channels=1, image_size=8, num_classes=10, hidden_sizes=[8], dropout_hidden=0.3)
    model.optimizer_factory = lambda groups: torch.optim.SGD(groups, lr=0.1, momentum=0.9)
    data = Digits() if data is None else data
    data.setup("fit")
    record = [] if isinstance(callback, RunRecord) else [RunRecord(RunDirectory(folder), False, time.monotonic())]
    given = [*([] if callback is None else [callback]), *more.pop("others", [])]
    logger = Rows()
    trainer = pl.Trainer(
        accelerator="cpu", max_epochs=1, log_every_n_steps=4, logger=logger, use_distributed_sampler=False,
        callbacks=[*record, *given], enable_model_summary=False, default_root_dir=folder,
        enable_progress_bar=isinstance(callback, ProgressBar), enable_checkpointing=isinstance(callback, Checkpoint),
        **more,
    )  # fmt: skip
    if isinstance(callback, LastCheckpoint):  # it refuses Lightning's own loop
        shorten(trainer, (ImageClassifier, ImageDataModule))
    return Run(trainer, model, data, logger.rows)


def fitted(callback: Callback | None, folder: Path, data: Digits | None = None, **more: Any) -> Run:
    """A run that is over."""
    run = begun(callback, folder, data)
    run.trainer.fit(run.model, run.data, weights_only=True, **more)
    return run
