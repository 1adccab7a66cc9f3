"""MultiStepLR: every group's rate drops at every milestone, as torch's scheduler has it, also after a resume."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from callbacks import CyclicalLR, MultiStepLR
from datamodules import Digits
from tests.callbacks.lr_runs import OPTIMIZERS, Batches, Spy, fit
from tests.callbacks.subjects import Rows
from timeline.position import Position


def test_is_torch_s() -> None:
    """Hoffer et al.'s regime, at every step of its epochs."""
    steps = 7
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [81, 122, 164])
    policy = MultiStepLR([81, 122, 164])
    for epoch in range(170):
        rates = [policy.lr(Position(epoch * steps + k, 0, epoch + k / steps), 0.1) for k in range(steps)]
        assert rates == pytest.approx([optimizer.param_groups[0]["lr"]] * steps, rel=1e-14)
        optimizer.step()
        scheduler.step()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_group_of_every_optimizer_follows(optimizer: str) -> None:
    spy = Spy()
    trainer, _ = fit([MultiStepLR([2, 4], gamma=0.5, unit="steps"), spy], optimizer, ratios={"layers.output": 0.25})
    ratios = [group["lr_ratio"] for group in trainer.optimizers[0].param_groups]
    assert sorted(ratios) == [0.25, 1.0]
    assert spy.rates == [[ratio * lr for ratio in ratios] for lr in (0.1, 0.1, 0.05, 0.05, 0.025)]


@pytest.mark.parametrize(
    ("unit", "milestone", "first"),
    [("steps", 20, 20), ("epochs", 1, 16), ("epochs", 1.5, 24), ("samples", 998, 16), ("samples", 999, 17)],
)
def test_units(unit: Any, milestone: float, first: int) -> None:
    """Digits are 998 training images in 16 steps; the last one of a pass is short."""
    spy = Spy()
    fit([MultiStepLR([milestone], unit=unit), spy], steps=30)
    data = Digits(batch_size=64)
    data.setup("fit")
    assert data.stream is not None
    assert [rates[0] for rates in spy.rates] == [0.1] * first + [pytest.approx(0.01)] * (30 - first)


def test_logs_the_rate_of_the_step_just_done() -> None:
    rows = Rows()
    fit([MultiStepLR([3], unit="steps")], logger=rows)
    assert {step: row["lr"] for step, row in rows.rows.items() if "lr" in row} == pytest.approx({2: 0.1, 4: 0.01})


def test_a_resumed_run_is_the_unbroken_one(tmp_path: Path) -> None:
    """A checkpoint behind a milestone holds the dropped rate, which is not what the next drop starts from."""
    spy, again = Spy(), Spy()
    _, whole = fit([MultiStepLR([4, 9], unit="steps"), spy], steps=12)
    first, _ = fit([MultiStepLR([4, 9], unit="steps")], steps=7)
    first.save_checkpoint(tmp_path / "seven.ckpt")
    _, resumed = fit([MultiStepLR([4, 9], unit="steps"), again], steps=12, checkpoint=tmp_path / "seven.ckpt")
    assert again.rates == spy.rates[7:]
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_one_schedule_a_run() -> None:
    with pytest.raises(ValueError, match=r"MultiStepLR and CyclicalLR would all set the learning rate: keep one"):
        fit([MultiStepLR([3]), CyclicalLR(0.1, 0.2, half_cycle=2)])


@pytest.mark.filterwarnings("ignore:You defined a `validation_step` but have no `val_dataloader`")
def test_data_from_elsewhere_count_what_they_can() -> None:
    spy = Spy()
    fit([MultiStepLR([3], unit="steps"), spy], data=Batches())
    assert [rates[0] for rates in spy.rates] == pytest.approx([0.1, 0.1, 0.1, 0.01, 0.01])
    with pytest.raises(ValueError, match=r"unit samples needs a loader that counts them.*: set it to steps"):
        fit([MultiStepLR([3], unit="samples")], data=Batches())


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("milestones", {"milestones": []}),
        ("milestones", {"milestones": [0, 5]}),
        ("milestones", {"milestones": [5, 5]}),
        ("milestones", {"milestones": [6, 5]}),
        ("milestones", {"milestones": [float("nan")]}),
        ("gamma", {"gamma": 0.0}),
        ("gamma", {"gamma": 1.0}),
        ("unit", {"unit": "hours"}),
    ],
)
def test_refuses(field: str, change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=rf"^{field} .*: [^:]+$"):
        MultiStepLR(**{"milestones": [3, 5], **change})
