"""The policies in a stock Trainer: rates by position, ratios of groups, resumes, and what cannot go together."""

from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint

from callbacks import CyclicalLR, LRRangeTest, MultiStepLR, TimeToTarget
from tests.callbacks.stock import LitNet, fitted, loader

pytestmark = pytest.mark.filterwarnings("default:::pytorch_lightning", "default:::lightning_fabric")


class Groups(LitNet):
    """Two groups, of which the first has a tenth of the optimizer's own rate."""

    def configure_optimizers(self) -> Any:
        groups = [{"params": self.net.parameters(), "lr": 0.01}, {"params": self.head.parameters()}]
        return torch.optim.SGD(groups, lr=0.1)


class Explicit(LitNet):
    """Each group has a rate of its own, and none the optimizer's."""

    def configure_optimizers(self) -> Any:
        parts = ((self.net, 0.02), (self.head, 0.2))
        return torch.optim.SGD([{"params": part.parameters(), "lr": lr} for part, lr in parts])


class Scheduled(LitNet):
    def configure_optimizers(self) -> Any:
        optimizer = super().configure_optimizers()
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 1)]


class Note(pl.Callback):
    """Rates of each step."""

    def __init__(self) -> None:
        self.rates: list[list[float]] = []

    def on_train_batch_end(self, run: pl.Trainer, *rest: Any) -> None:
        self.rates.append([group["lr"] for group in run.optimizers[0].param_groups])


def rates(make: Any, *callbacks: pl.Callback, **options: Any) -> list[list[float]]:
    note = Note()
    fitted(make, None, *callbacks, note, **options)
    return note.rates


def test_groups_keep_their_ratios() -> None:
    found = rates(Groups, CyclicalLR(0.0, 1.0, half_cycle=10, unit="steps"), max_epochs=1)
    assert found[5] == pytest.approx([0.05, 0.5])
    for make, own in ((Groups, [0.01, 0.1]), (Explicit, [0.02, 0.2])):
        found = rates(make, MultiStepLR([1]), max_epochs=2)
        assert found[9] == pytest.approx(own) and found[10] == pytest.approx([lr / 10 for lr in own])


def test_units_are_counted_as_the_loader_has_them() -> None:
    for unit, half in (("epochs", 1.0), ("samples", 300.0)):
        found = rates(LitNet, CyclicalLR(0.0, 1.0, half_cycle=half, unit=unit), max_epochs=1)  # type: ignore[arg-type]
        assert [one for (one,) in found] == pytest.approx([32 * step / 300 for step in range(10)])
    found = rates(LitNet, CyclicalLR(0.0, 1.0, half_cycle=1), max_epochs=1, accumulate_grad_batches=2)
    assert [one for (one,) in found][::2] == pytest.approx([64 * step / 300 for step in range(5)])


def test_a_loader_without_a_length_counts_steps() -> None:
    with pytest.raises(ValueError, match="unit epochs needs a loader that counts them"):
        fitted(LitNet, lambda: loader("iterable"), CyclicalLR(0.0, 1.0, half_cycle=1))
    assert rates(LitNet, CyclicalLR(0.0, 1.0, half_cycle=10, unit="steps"), max_steps=3)[2] == pytest.approx([0.2])


def test_a_cycle_takes_the_bounds_and_goes_on_with_them(tmp_path: Path) -> None:
    def both() -> tuple[LRRangeTest, CyclicalLR]:
        return LRRangeTest(steps=60, seeds=2, lower=1e-5), CyclicalLR(half_cycle=1, bounds="auto")

    test, cycle = both()
    whole = rates(LitNet, test, cycle, max_epochs=3)
    assert test.bounds is not None and cycle.cycle is not None
    assert (cycle.cycle.lower, cycle.cycle.upper) == test.bounds and whole[0] == pytest.approx([test.bounds[0]])
    keeper = ModelCheckpoint(tmp_path, "kept", every_n_train_steps=7, save_top_k=1, monitor=None)
    rates(LitNet, *both(), keeper, max_steps=7, enable_checkpointing=True)
    test, cycle = both()
    rest = rates(LitNet, test, cycle, max_epochs=3, ckpt_path=tmp_path / "kept.ckpt")
    assert rest == whole[7:] and test.result is None and test.done, "it does not test again"


def test_training_at_the_suggested_rate() -> None:
    test = LRRangeTest(steps=60, seeds=2, lower=1e-5, update_lr=True)
    found = rates(Groups, test, max_epochs=1)
    assert test.lr is not None and found[3] == pytest.approx([test.lr / 10, test.lr])
    test, schedule = LRRangeTest(steps=60, seeds=2, lower=1e-5, update_lr=True), MultiStepLR([5], unit="steps")
    found = rates(Groups, test, schedule, max_epochs=1)
    assert test.lr is not None and found[4] == pytest.approx([test.lr / 10, test.lr])
    assert found[5] == pytest.approx([test.lr / 100, test.lr / 10])


@pytest.mark.parametrize(
    "callback", [CyclicalLR(0.01, 0.1, half_cycle=1), MultiStepLR([1]), LRRangeTest(update_lr=True)]
)
def test_a_scheduler_of_theirs_and_ours_would_both_set_the_rate(callback: pl.Callback) -> None:
    with pytest.raises(ValueError, match="and StepLR, the module's scheduler, would both set the learning rate"):
        fitted(Scheduled, None, callback)


@pytest.mark.parametrize("callback", [CyclicalLR(0.01, 0.1, half_cycle=1), LRRangeTest()])
def test_an_optimizer_without_a_rate_is_refused(callback: pl.Callback) -> None:
    class Rateless(torch.optim.SGD):
        def __init__(self, parameters: Any) -> None:
            super().__init__(parameters)
            del self.defaults["lr"], self.param_groups[0]["lr"]

    class Net(LitNet):
        def configure_optimizers(self) -> Any:
            return Rateless(self.parameters())

    with pytest.raises(ValueError, match="Rateless has no learning rate to set"):
        fitted(Net, None, callback)


def test_a_target(capsys: pytest.CaptureFixture[str]) -> None:
    target = TimeToTarget(0.5, monitor="val_acc", stop=True)
    run = fitted(LitNet, None, target, max_epochs=30)
    result = target.passage.result()
    assert (
        result["reached"]
        and result["samples"] == 300 * run.current_epoch < 9000
        and "val_acc" in capsys.readouterr().out
    )
    with pytest.raises(ValueError, match=r"monitor val/accuracy is not logged.*logs .*val_acc"):
        fitted(LitNet, None, TimeToTarget(0.5))


def test_a_target_without_a_validation() -> None:
    class Data(pl.LightningDataModule):
        def train_dataloader(self) -> Any:
            return loader()

    with pytest.raises(ValueError, match="TimeToTarget needs a validation: give a validation loader"):
        fitted(LitNet, Data, TimeToTarget(0.5, monitor="val_acc"))
