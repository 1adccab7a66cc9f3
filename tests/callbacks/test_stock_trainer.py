"""The range test and the policies in a stock Trainer, with somebody else's module and loaders."""

import copy
import random
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import CSVLogger
from torch.nn import functional as F

from callbacks import LRRangeTest
from callbacks.range_tests.rehearsal import Rehearsal, undisturbed
from datamodules.redrawn import Redrawn
from tests.callbacks import stock
from tests.callbacks.stock import LitData, LitNet, ManualNet, TwoOptimizers, fitted, loader
from timeline.stream import permutation
from trainer.access import copy_of_module


class Hooked(LitNet):
    """Hooks of the documentation, and parameter groups with rates of their own beside a scheduler."""

    def on_before_optimizer_step(self, optimizer: Any) -> None:
        self.log("norm", sum(p.grad.norm() for p in self.parameters()))

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        return [batch[0] + 0.01 * torch.rand(1), batch[1]]

    def optimizer_step(self, epoch: int, batch_idx: int, optimizer: Any, optimizer_closure: Any = None) -> None:
        optimizer.step(closure=optimizer_closure)

    def configure_optimizers(self) -> Any:
        groups = [{"params": self.net.parameters(), "lr": 0.01}, {"params": self.head.parameters()}]
        optimizer = torch.optim.AdamW(groups, lr=0.1)
        steps = self.trainer.estimated_stepping_batches
        scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


class Composed(LitNet):
    """A module in a module, which reads and sets what the trainer has."""

    class Part(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(4, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.trainer.should_stop = self.trainer.should_stop or False
            return self.layer(x)

    def __init__(self) -> None:
        super().__init__()
        self.part = self.Part()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.part(super().forward(x))


class SetsItsRate(LitNet):
    def optimizer_step(self, epoch: int, batch_idx: int, optimizer: Any, optimizer_closure: Any = None) -> None:
        for group in optimizer.param_groups:
            group["lr"] = 0.01
        optimizer.step(closure=optimizer_closure)


class Skips(LitNet):
    def optimizer_step(self, epoch: int, batch_idx: int, optimizer: Any, optimizer_closure: Any = None) -> None:
        optimizer_closure()


pytestmark = pytest.mark.filterwarnings("default:::pytorch_lightning", "default:::lightning_fabric")


def quick(**options: Any) -> LRRangeTest:
    return LRRangeTest(**{"steps": 40, "seeds": 2, "lower": 1e-5} | options)


def left(run: pl.Trainer) -> dict[str, Any]:
    """All that a run leaves: weights, optimizer, generators, batches, metrics, counters."""
    module = run.lightning_module
    return {
        "weights": copy.deepcopy(module.state_dict()),
        "optimizer": run.optimizers[0].state_dict(),
        "generators": [torch.get_rng_state(), random.getstate(), np.random.get_state()],
        "batches": module.seen,
        "metrics": [run.logged_metrics, run.callback_metrics, run.progress_bar_metrics],
        "progress": run.fit_loop.state_dict(),
        "stop": run.should_stop,
    }


def same(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, torch.Tensor | np.ndarray):
        return bool((one == other).all())
    return bool(one == other)


def both(make: Any, data: Any, at_step: int = 0, **options: Any) -> LRRangeTest:
    """A run without and one with a range test, which are the same."""
    plain, test = left(fitted(make, data, **options)), quick(at_step=at_step)
    tested = left(fitted(make, data, test, **options))
    assert test.done, "it took place"
    for name, value in plain.items():
        assert same(tested[name], value), name
    return test


@pytest.mark.parametrize("at_step", [0, 7, 10])
@pytest.mark.parametrize("kind", ["plain", "noisy", "generator", "weighted"])
def test_the_run_is_untouched(kind: str, at_step: int) -> None:
    both(LitNet, lambda: loader(kind), at_step)


@pytest.mark.parametrize("precision", stock.PRECISIONS)
def test_in_any_precision(precision: str) -> None:
    assert both(LitNet, LitData, precision=precision).bounds is not None


@pytest.mark.parametrize(("kind", "workers"), [("noisy", 2), ("iterable", 2), ("iterable", 0)])
def test_with_workers_and_without_a_length(kind: str, workers: int) -> None:
    assert both(LitNet, lambda: loader(kind, workers), limit_train_batches=8).bounds is not None


@pytest.mark.parametrize(
    ("make", "options"),
    [
        (LitNet, {"accumulate_grad_batches": 3, "gradient_clip_val": 0.1}),
        (ManualNet, {}),
        (Hooked, {}),
        (Composed, {}),
    ],
)
def test_whatever_the_steps_are_made_of(make: Any, options: dict[str, Any]) -> None:
    assert both(make, loader, 3, **options).bounds is not None


def test_what_it_logs_is_the_run_s_alone(tmp_path: Path) -> None:
    for name, test in (("plain", []), ("tested", [quick()])):
        fitted(LitNet, loader, *test, logger=CSVLogger(tmp_path, name), log_every_n_steps=3)
    read = [next(tmp_path.glob(f"{name}/version_0/metrics.csv")).read_text() for name in ("plain", "tested")]
    assert read[0] == read[1] and "mine" in read[0]


@pytest.mark.parametrize(
    ("make", "options"),
    [
        (LitNet, {}),
        (LitNet, {"accumulate_grad_batches": 2, "gradient_clip_val": 0.2}),
        (LitNet, {"gradient_clip_val": 0.01, "gradient_clip_algorithm": "value"}),
        (ManualNet, {}),
    ],
)
def test_a_copy_trains_as_the_run_would(make: Any, options: dict[str, Any]) -> None:
    """At the run's own rate, on batches that a plain loop makes too: the same losses and weights, to the bit."""
    found: dict[str, Any] = {}
    several, clip = options.get("accumulate_grad_batches", 1), options.get("gradient_clip_val", 0.5)

    def clipped(parameters: Any) -> None:
        if "gradient_clip_algorithm" in options:
            torch.nn.utils.clip_grad_value_(parameters, clip)
        elif options or make is ManualNet:
            torch.nn.utils.clip_grad_norm_(parameters, clip)

    class Compare(pl.Callback):
        def on_train_start(self, run: pl.Trainer, module: pl.LightningModule) -> None:
            with undisturbed(run):
                copied = Rehearsal(run, 32, seed=7)
                copied.module.net[4].p = 0.0
                plain = copy_of_module(run)
                plain.net[4].p = 0.0
                found["copied"] = [float(copied.step(number, 0.1)) for number in range(12)]
            optimizer = torch.optim.SGD(plain.parameters(), lr=0.1, momentum=0.9)
            found["plain"] = []
            for step in range(12):
                optimizer.zero_grad()
                total = torch.zeros(())
                for number in range(step * several, (step + 1) * several):
                    epoch, place = divmod(number, 10)
                    numbers = permutation(7, epoch, 300)[32 * place : 32 * place + 32]
                    loss = F.cross_entropy(plain(stock.IMAGES[numbers]), stock.LABELS[numbers]) / several
                    loss.backward()
                    total += loss.detach()
                clipped(plain.parameters())
                optimizer.step()
                found["plain"].append(total.item())
            assert same(copied.module.state_dict(), plain.state_dict())

    fitted(make, loader, Compare(), max_epochs=1, **options)
    assert found["copied"] == found["plain"]


@pytest.mark.parametrize("make", [LitNet, ManualNet])
@pytest.mark.parametrize(("kind", "workers"), [("noisy", 0), ("noisy", 2), ("weighted", 0), ("iterable", 0)])
def test_a_stopped_training_goes_on_to_the_bit(make: Any, kind: str, workers: int) -> None:
    """From the state that is kept of a copy, in the middle of a pass and across its end."""
    found: list[list[float]] = []

    class Compare(pl.Callback):
        def on_train_start(self, run: pl.Trainer, module: pl.LightningModule) -> None:
            with undisturbed(run):
                whole, first, rest = (Rehearsal(run, 32, seed=7) for _ in range(3))
                found.append([float(whole.step(number, 0.05)) for number in range(14)])
                found.append([float(first.step(number, 0.05)) for number in range(6)])
                rest.load_state_dict(copy.deepcopy(first.state_dict()))
                found[1] += [float(rest.step(number, 0.05)) for number in range(6, 14)]

    fitted(make, lambda: loader(kind, workers), Compare(), limit_train_batches=2, max_epochs=1)
    assert found[0] == found[1]


def test_copies_do_not_pile_up() -> None:
    """Each is gone by the time that the next is made."""
    copies: list[Any] = []

    class Count(pl.Callback):
        def on_train_start(self, run: pl.Trainer, module: pl.LightningModule) -> None:
            with undisturbed(run):
                for seed in range(4):
                    rehearsal = Rehearsal(run, 32, seed)
                    rehearsal.step(0, 0.1)
                    copies.append(weakref.ref(rehearsal.module))
                    del rehearsal

    fitted(LitNet, loader, Count(), max_epochs=1)
    assert sum(copy() is not None for copy in copies) <= 1


def test_a_sampler_of_theirs_is_kept_to() -> None:
    """Weights of zero: no such sample is drawn, in any of the orders."""
    sampler = loader("weighted").sampler
    orders = [Redrawn(sampler, 32, seed).order(0).tolist() for seed in (0, 0, 1)]
    assert max(orders[0]) < 150 and orders[0] == orders[1] != orders[2] and len(orders[0]) == 300


@pytest.mark.parametrize(
    ("make", "data", "message"),
    [
        (TwoOptimizers, loader, "sets the rate of one optimizer, and TwoOptimizers has 2"),
        (SetsItsRate, loader, "SetsItsRate sets the learning rate itself"),
        (Skips, loader, "Skips makes 0 optimizer steps"),
        (LitNet, lambda: {"a": loader(), "b": loader()}, "one training loader, got 2"),
        (LitNet, lambda: (batch for batch in list(loader())), "generator cannot be copied"),
    ],
)
def test_what_cannot_be_rehearsed_is_refused(make: Any, data: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        fitted(make, data, quick())
    assert len(str(caught.value).splitlines()) == 1
