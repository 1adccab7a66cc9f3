"""CyclicalLR: every group of every optimizer follows the cycle, at every step and after every resume."""

from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import nn

from callbacks import CyclicalLR, LRRangeTest
from datamodules import Digits
from optimizers.capabilities import CAPABILITIES
from tests.callbacks.lr_runs import OPTIMIZERS, Batches, Spy, fit
from tests.callbacks.subjects import Rows
from timeline.position import Position
from timeline.schedules import Cycle

MOMENTUM = ["SGD", "Adam", "RMSprop", "NesterovRMSprop"]


class Found(LRRangeTest):
    """A range test whose answer is given."""

    def __init__(self, bounds: tuple[float, float] | None, refusal: str | None = None) -> None:
        super().__init__()
        self._found, self.runs = (bounds, refusal), 0

    def run(self, trainer: pl.Trainer) -> None:
        self.bounds, self.refusal = self._found
        self.runs += 1


class Policy(pl.Callback):
    """Another policy, whose `bounds` is a word: it is no range test."""

    bounds = "given"


def test_the_optimizers_are_the_eight() -> None:
    assert set(OPTIMIZERS) == set(CAPABILITIES)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_group_of_every_optimizer_follows(optimizer: str) -> None:
    spy, policy = Spy(), CyclicalLR(1e-3, 1e-1, half_cycle=3, unit="steps", mode="exp_range", gamma=0.9)
    before = OPTIMIZERS[optimizer]([nn.Parameter(torch.ones(1))]).param_groups[0]
    trainer, _ = fit([policy, spy], optimizer, ratios={"layers.output": 0.25})
    expected = Cycle(1e-3, 1e-1, 3, "exp_range", 0.9)
    ratios = [group["lr_ratio"] for group in trainer.optimizers[0].param_groups]
    assert sorted(ratios) == [0.25, 1.0]
    assert spy.rates == [[ratio * expected(t) for ratio in ratios] for t in range(5)]
    momentum = before["betas"][0] if "betas" in before else before.get("momentum")
    assert spy.momenta == [momentum] * 5


@pytest.mark.parametrize(("unit", "half_cycle"), [("steps", 12), ("epochs", 0.75), ("samples", 700)])
def test_units(unit: str, half_cycle: float) -> None:
    """Digits are 998 training images in 16 steps; the last one of a pass is short."""
    data, spy = Digits(batch_size=64), Spy()
    data.setup("fit")
    assert data.stream is not None
    policy = CyclicalLR(0.0, 1.0, half_cycle=half_cycle, unit=unit)  # type: ignore[arg-type]
    fit([policy, spy], steps=30)
    positions = [data.stream.position(t) for t in range(30)]
    done = [{"steps": p.step, "epochs": p.epochs, "samples": p.samples}[unit] for p in positions]
    assert [rates[0] for rates in spy.rates] == [Cycle(0.0, 1.0, half_cycle)(t) for t in done]
    assert len({rates[0] for rates in spy.rates}) > 10
    assert [policy.lr(position) for position in positions] == [rates[0] for rates in spy.rates]


@pytest.mark.parametrize("optimizer", MOMENTUM)
def test_momentum_mirrors_the_rate(optimizer: str) -> None:
    spy = Spy()
    policy = CyclicalLR(1e-3, 1e-2, half_cycle=2, unit="steps", mode="triangular2", cycle_momentum=(0.85, 0.95))
    trainer, _ = fit([policy, spy], optimizer, steps=9)
    assert spy.momenta == pytest.approx([0.95, 0.9, 0.85, 0.9, 0.95, 0.925, 0.9, 0.925, 0.95])
    if optimizer == "Adam":
        assert trainer.optimizers[0].param_groups[0]["betas"][1] == 0.999


@pytest.mark.parametrize("mode", ["triangular", "triangular2", "exp_range"])
def test_momentum_is_torch_s(mode: str) -> None:
    gamma = 0.99 if mode == "exp_range" else 1.0
    policy = CyclicalLR(1e-3, 1e-2, half_cycle=7, unit="steps", mode=mode, gamma=gamma, cycle_momentum=(0.8, 0.9))  # type: ignore[arg-type]
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0, momentum=0.5)
    scheduler = torch.optim.lr_scheduler.CyclicLR(optimizer, 1e-3, 1e-2, 7, mode=mode, gamma=gamma)
    for t in range(100):
        assert policy.momentum(Position(t, 0, 0.0)) == pytest.approx(optimizer.param_groups[0]["momentum"], abs=1e-14)
        optimizer.step()
        scheduler.step()


def test_momentum_stays_below_its_bound_where_both_rates_decay() -> None:
    policy = CyclicalLR(
        0.1, 1.0, half_cycle=5, unit="steps", mode="exp_range_bounds", gamma=0.9, cycle_momentum=(0.8, 0.95)
    )
    assert all(0.8 <= policy.momentum(Position(t, 0, 0.0)) <= 0.95 for t in range(200))


@pytest.mark.parametrize("optimizer", sorted(set(OPTIMIZERS) - set(MOMENTUM)))
def test_refuses_momentum_where_there_is_none(optimizer: str) -> None:
    policy = CyclicalLR(1e-3, 1e-2, half_cycle=2, unit="steps", cycle_momentum=(0.85, 0.95))
    with pytest.raises(ValueError, match=f"cycle_momentum: {optimizer} has no momentum: leave it out"):
        fit([policy], optimizer)


def test_logs_the_rate_of_the_step_just_done() -> None:
    one, two = Rows(), Rows()
    fit([CyclicalLR(0.0, 0.4, half_cycle=4, unit="steps")], logger=one)
    assert {step: row["lr"] for step, row in one.rows.items() if "lr" in row} == pytest.approx({2: 0.1, 4: 0.3})
    fit([CyclicalLR(0.0, 0.4, half_cycle=4, unit="steps")], ratios={"layers.output": 0.5}, logger=two)
    rates = {step: sorted((row["lr/0"], row["lr/1"])) for step, row in two.rows.items() if "lr/0" in row}
    assert rates == {2: pytest.approx([0.05, 0.1]), 4: pytest.approx([0.15, 0.3])}


def test_a_resumed_run_is_the_unbroken_one(tmp_path: Path) -> None:
    def policies() -> list[pl.Callback]:
        return [CyclicalLR(1e-3, 0.2, half_cycle=0.3, mode="triangular2", cycle_momentum=(0.5, 0.9))]

    _, whole = fit(policies(), steps=12)
    spy, again = Spy(), Spy()
    fit([*policies(), spy], steps=12)
    first, _ = fit(policies(), steps=7)
    first.save_checkpoint(tmp_path / "seven.ckpt")
    _, resumed = fit([*policies(), again], steps=12, checkpoint=tmp_path / "seven.ckpt")
    assert again.rates == spy.rates[7:] and again.momenta == spy.momenta[7:]
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_bounds_come_from_the_range_test_and_last(tmp_path: Path) -> None:
    def auto() -> CyclicalLR:
        return CyclicalLR(half_cycle=4, unit="steps", bounds="auto")

    spy, policy, found = Spy(), auto(), Found((0.01, 0.05))
    trainer, _ = fit([Policy(), found, policy, spy])
    assert [rates[0] for rates in spy.rates] == [Cycle(0.01, 0.05, 4)(t) for t in range(5)]
    trainer.save_checkpoint(tmp_path / "five.ckpt")
    again, silent = Spy(), Found(None)
    fit([silent, auto(), again], steps=8, checkpoint=tmp_path / "five.ckpt")
    assert [rates[0] for rates in again.rates] == [Cycle(0.01, 0.05, 4)(t) for t in range(5, 8)]


def test_a_second_run_asks_anew() -> None:
    policy, spy = CyclicalLR(half_cycle=4, unit="steps", bounds="auto"), Spy()
    fit([Found((0.01, 0.05)), policy])
    fit([Found((0.02, 0.06)), policy, spy])
    assert spy.rates[0] == [0.02]


@pytest.mark.parametrize(
    ("before", "message"),
    [
        ([], "bounds: auto needs LRRangeTest before CyclicalLR"),
        ([Found(None, "the curve is flat")], r"bounds: LRRangeTest found none \(the curve is flat\): give lower"),
        ([Found(None)], r"bounds: LRRangeTest found none \(it has not run\)"),
    ],
)
def test_refuses_to_guess_bounds(before: list[pl.Callback], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit([*before, CyclicalLR(half_cycle=4, unit="steps", bounds="auto")])


def test_a_range_test_behind_it_is_too_late() -> None:
    with pytest.raises(ValueError, match="before CyclicalLR"):
        fit([CyclicalLR(half_cycle=4, unit="steps", bounds="auto"), Found((0.1, 1.0))])


def test_lr_is_unknown_before_the_range_test() -> None:
    with pytest.raises(ValueError, match="bounds: auto has none before the range test"):
        CyclicalLR(half_cycle=4, bounds="auto").lr(Position(0, 0, 0.0))


@pytest.mark.filterwarnings("ignore:You defined a `validation_step` but have no `val_dataloader`")
def test_data_from_elsewhere_count_what_they_can() -> None:
    spy = Spy()
    fit([CyclicalLR(0.0, 1.0, half_cycle=5, unit="steps"), spy], data=Batches())
    assert [rates[0] for rates in spy.rates] == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.8])
    spy = Spy()
    fit([CyclicalLR(0.0, 1.0, half_cycle=1, unit="epochs"), spy], data=Batches())
    assert [rates[0] for rates in spy.rates] == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.8]), "an epoch has five steps"
    with pytest.raises(ValueError, match=r"unit samples needs a loader that counts them.*: set it to steps"):
        fit([CyclicalLR(0.0, 1.0, half_cycle=5, unit="samples")], data=Batches())


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("lower", {"lower": None}),
        ("upper", {"upper": None}),
        ("lower", {"bounds": "auto"}),
        ("bounds", {"bounds": "found"}),
        ("unit", {"unit": "hours"}),
        ("lower", {"lower": 2.0}),
        ("cycle_momentum", {"cycle_momentum": [0.95, 0.85]}),
        ("cycle_momentum", {"cycle_momentum": [0.5, 1.0]}),
        ("half_cycle", {"half_cycle": -1}),
        ("half_cycle", {"half_cycle": -1, "bounds": "auto", "lower": None, "upper": None}),
        ("gamma", {"gamma": 0.5, "bounds": "auto", "lower": None, "upper": None}),
    ],
)
def test_refuses(field: str, change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=rf"^{field} .*: [^:]+$"):
        CyclicalLR(**{"lower": 1e-3, "upper": 1.0, "half_cycle": 5, **change})
