"""Every callback of the package in a stock Trainer, with somebody else's module: it works, or says why not."""

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

import callbacks
from datamodules import StreamBatchSampler
from records.checkpoint_io import AtomicCheckpointIO
from records.run_directory import RunDirectory
from tests.callbacks.stock import LitNet, fitted, loader

pytestmark = pytest.mark.filterwarnings("default:::pytorch_lightning", "default:::lightning_fabric")


def streaming() -> DataLoader:
    plain = loader()
    return DataLoader(plain.dataset, batch_sampler=StreamBatchSampler(plain.dataset, 32, seed=1))  # type: ignore[arg-type]


def parent(folder: Path) -> tuple[Path, str]:
    """A checkpoint to start from."""
    path = folder / "parent.ckpt"
    AtomicCheckpointIO().save_checkpoint({"state_dict": LitNet().state_dict()}, path)
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


WORKING: dict[str, Callable[[Path], pl.Callback]] = {
    "BatchAugmentedCutout": lambda folder: callbacks.BatchAugmentedCutout(copies=2, size=3),
    "BatchSizeRangeTest": lambda folder: callbacks.BatchSizeRangeTest(sizes=[16, 32, 64], steps=2),
    "BestCheckpoint": lambda folder: callbacks.BestCheckpoint(folder, monitor="val_acc"),
    "CountedSamples": lambda folder: callbacks.CountedSamples(),
    "CyclicalBatchSize": lambda folder: callbacks.CyclicalBatchSize(half_cycle=0.5, lower=16, upper=64),
    "CyclicalLR": lambda folder: callbacks.CyclicalLR(0.01, 0.2, half_cycle=0.5, cycle_momentum=(0.8, 0.9)),
    "DivergenceWatch": lambda folder: callbacks.DivergenceWatch(),
    "LRRangeTest": lambda folder: callbacks.LRRangeTest(steps=20, seeds=1),
    "MultiStepLR": lambda folder: callbacks.MultiStepLR([0.5]),
    "RekeyedRandomness": lambda folder: callbacks.RekeyedRandomness(1),
    "RunHistory": lambda folder: callbacks.RunHistory(None, "seed_everything: 1\n", "fit"),
    "RunRecord": lambda folder: callbacks.RunRecord(RunDirectory(folder / "run"), False, time.monotonic()),
    "StartFrom": lambda folder: callbacks.StartFrom(*parent(folder)),
    "TimeToTarget": lambda folder: callbacks.TimeToTarget(0.2, monitor="val_acc", warm_up_steps=2),
    "TrainingProgress": lambda folder: callbacks.TrainingProgress(),
}
REFUSED: dict[str, tuple[Callable[[Path], pl.Callback], str]] = {
    "LastCheckpoint": (
        lambda folder: callbacks.LastCheckpoint(folder / "last.ckpt"),
        r"needs the loop of `cadence fit`: take ModelCheckpoint\(save_last=True\)",
    ),
}


def test_all_of_them_are_here() -> None:
    assert {*WORKING, *REFUSED} == set(callbacks.__all__) and not {*WORKING} & {*REFUSED}


@pytest.mark.parametrize("name", WORKING)
def test_it_works(name: str, tmp_path: Path) -> None:
    needs = {"TrainingProgress": "enable_progress_bar", "BestCheckpoint": "enable_checkpointing"}
    options = {needs[name]: True} if name in needs else {}
    run = fitted(LitNet, streaming, WORKING[name](tmp_path), max_epochs=2, **options)
    assert run.current_epoch == 2 and torch.isfinite(run.callback_metrics["val_loss"])


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_with_one_reason(name: str, tmp_path: Path) -> None:
    make, reason = REFUSED[name]
    with pytest.raises(ValueError, match=reason) as caught:
        fitted(LitNet, None, make(tmp_path), enable_checkpointing=True)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("name", ["CountedSamples", "RunRecord", "TimeToTarget", "DivergenceWatch"])
def test_two_fits_in_one_process_have_their_own_clocks(name: str, tmp_path: Path) -> None:
    callback: Any = WORKING[name](tmp_path)
    counted = []
    for _ in range(2):
        fitted(LitNet, None, callback, max_epochs=1)
        counted.append(state_of(callback))
    assert counted[0] == counted[1]


def state_of(callback: Any) -> Any:
    """What the callback has counted; of seconds, whether they are those of one fit."""
    if isinstance(callback, callbacks.RunRecord):
        return sum(callback.seconds.values()) <= time.monotonic() - callback.started + 1e-3
    if isinstance(callback, callbacks.TimeToTarget):
        result = callback.passage.result()
        return {name: value for name, value in result.items() if "seconds" not in name}
    return callback.state_dict()
