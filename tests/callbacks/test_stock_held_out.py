"""A range test by held-out loss in a stock Trainer, with somebody else's module and loaders."""

import copy
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from callbacks import LRRangeTest
from callbacks.range_tests.held_out import HeldOutRehearsal, own_statistics
from callbacks.range_tests.rehearsal import undisturbed
from callbacks.range_tests.stock_kept import StockKept
from tests.callbacks.stock import IMAGES, LABELS, Endless, LitData, LitNet, ManualNet, Noisy, fitted, loader
from tests.callbacks.test_stock_trainer import left, quick, same

pytestmark = pytest.mark.filterwarnings("default:::pytorch_lightning", "default:::lightning_fabric")
ALL = TensorDataset(IMAGES[:100], LABELS[:100])
HELD_OUT = {
    "plain": lambda: DataLoader(ALL, 30),
    "noisy": lambda: DataLoader(Noisy(), 32),
    "workers": lambda: DataLoader(Noisy(), 32, num_workers=2),
    "iterable": lambda: DataLoader(Endless(), 32),
    "several": lambda: [DataLoader(ALL, 30), DataLoader(TensorDataset(IMAGES[:40], LABELS[:40]), 7)],
}


class Data(pl.LightningDataModule):
    def __init__(self, kind: str = "plain") -> None:
        super().__init__()
        self.kind = kind

    def train_dataloader(self) -> DataLoader:
        return loader()

    def val_dataloader(self) -> Any:
        return HELD_OUT[self.kind]()


class Silent(LitNet):
    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val_acc", 0.5)


class Returns(LitNet):
    def validation_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> dict[str, torch.Tensor]:
        return {"loss": F.cross_entropy(self(batch[0]), batch[1])}


class Draws(Returns):
    """Changes the batch that it is given, by what it draws."""

    def validation_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> dict[str, torch.Tensor]:
        batch[0].add_(torch.rand(1) + random.random() + np.random.rand())
        return super().validation_step(batch, batch_idx)

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        batch[0].mul_(1 + torch.rand(1))
        return batch


def held_out(**options: Any) -> LRRangeTest:
    return quick(on="held_out", held_out_images=64, steps=30, seeds=1, **options)


def beside(make: Any, data: Any, act: Callable[[pl.Trainer], Any], **options: Any) -> Any:
    """What `act` answers before the first step of a run."""
    answers = []

    class Act(pl.Callback):
        def on_train_start(self, run: pl.Trainer, module: pl.LightningModule) -> None:
            with undisturbed(run):
                answers.append(act(run))

    fitted(make, data, Act(), max_epochs=1, limit_train_batches=1, **options)
    return answers[0]


@pytest.mark.parametrize("kind", HELD_OUT)
def test_the_run_is_untouched(kind: str) -> None:
    make = Returns if kind == "several" else LitNet
    options = {"limit_val_batches": 3}
    plain, test = left(fitted(make, lambda: Data(kind), **options)), held_out(at_step=7)
    tested = left(fitted(make, lambda: Data(kind), test, **options))
    assert test.done and "held-out images" in test.outcome.loss
    for name, value in plain.items():
        assert same(tested[name], value), name


def test_manual_optimization_and_no_sanity_check() -> None:
    test = held_out()
    fitted(ManualNet, LitData, test, num_sanity_val_steps=0)
    assert test.outcome.loss == "loss on 64 held-out images" and np.isfinite(test.outcome.sweeps[0].losses).all()


def test_the_loss_is_that_of_the_held_out_samples_after_the_step() -> None:
    """Of all samples: what a plain loop over the batches finds, with each batch's own statistics."""

    def act(run: pl.Trainer) -> None:
        judged = HeldOutRehearsal(run, 32, 5, images=1000)
        assert judged._kept.images == 100
        for number in range(5):
            loss, network = float(judged.step(number, 0.1)), judged.module.eval()
            total = rows = 0.0
            with own_statistics(network), torch.inference_mode():
                for (images, labels), _, _ in judged._kept.held_out(network):
                    total += float(F.cross_entropy(network(images), labels)) * len(labels)
                    rows += len(labels)
            network.train()
            assert rows == 100 and loss == pytest.approx(total / rows, rel=1e-12)

    beside(LitNet, Data, act)


def test_they_are_some_of_all_and_the_same_at_every_look() -> None:
    def act(run: pl.Trainer) -> None:
        first, second = (
            torch.cat([images for (images, _), _, _ in StockKept(run, 64).held_out(run.lightning_module)])
            for _ in range(2)
        )
        assert first.equal(second) and len(first) == 64
        places = [int((one == ALL.tensors[0]).flatten(1).all(1).nonzero()[0, 0]) for one in first]
        assert len(set(places)) == 64 and max(places) > 80, "drawn from all, not the first ones"

    beside(LitNet, Data, act)


@pytest.mark.parametrize("kind", ["plain", "noisy", "workers", "iterable"])
def test_a_look_leaves_nothing_and_finds_the_same(kind: str) -> None:
    def act(run: pl.Trainer) -> None:
        judged = HeldOutRehearsal(run, 32, 5, images=64)
        judged.step(0, 0.1)
        before = copy.deepcopy(judged.module.state_dict())
        assert float(judged._held_out_loss()) == float(judged._held_out_loss())
        assert same(before, judged.module.state_dict()) and judged.module.training

    beside(Draws, lambda: Data(kind), act)


@pytest.mark.parametrize(
    ("make", "data", "options", "message"),
    [
        (Silent, Data, {}, "validation_step returns or logs under a name with loss in it, and Silent has none"),
        (LitNet, Data, {"limit_val_batches": 0}, "needs a validation_step and a validation loader"),
    ],
)
def test_where_there_is_no_loss_it_is_refused(make: Any, data: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        fitted(make, data, held_out(), **options)
    assert len(str(caught.value).splitlines()) == 1


def test_a_race_goes_by_it_too() -> None:
    test = quick(on="held_out", held_out_images=64, steps=60, seeds=1, refine=2, refine_steps=8)
    fitted(LitNet, Data, test, max_epochs=1)
    assert test.outcome.looks == 60 + 2 * 2 and test.outcome.refusal is None and test.outcome.race is not None
