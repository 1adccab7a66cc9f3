"""LRRangeTest with `update_lr`: the run trains at the suggested rate, as if that had been configured."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytorch_lightning as pl

from callbacks import BatchSizeRangeTest, CyclicalLR, LRRangeTest, MultiStepLR
from tests.callbacks.lr_runs import OPTIMIZERS, Spy, fit
from tests.callbacks.records import assert_untouched, checkpoint
from tests.stopping import StopAfter

HOUSE = Path(__file__).resolve().parents[2]
QUICK = (
    "--trainer.callbacks+=LRRangeTest", "--trainer.callbacks.steps", "40", "--trainer.callbacks.seeds", "1",
    "--trainer.callbacks.lower", "1e-5", "--trainer.callbacks.upper", "1", "--trainer.callbacks.update_lr", "true",
)  # fmt: skip
DROP = ("--trainer.callbacks+=MultiStepLR", "--trainer.callbacks.milestones", "[0.5, 1.2]")


class Found(LRRangeTest):
    """A range test that updates the rate, and whose answer is given."""

    def __init__(self, lr: float | None, refusal: str | None = None, at_step: int = 0) -> None:
        super().__init__(at_step=at_step, update_lr=True)
        self.answer = SimpleNamespace(
            lr=lr, bounds=None if lr is None else (lr / 3, 3 * lr), refusal=refusal, summary=lambda: "found",
            rows=list, figure=lambda title: None,
        )  # fmt: skip

    def measure(self, trainer: pl.Trainer) -> Any:
        return self.answer


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_group_of_every_optimizer_trains_at_it(optimizer: str) -> None:
    spy = Spy()
    trainer, _ = fit([Found(0.03), spy], optimizer, ratios={"layers.output": 0.25})
    ratios = [group["lr_ratio"] for group in trainer.optimizers[0].param_groups]
    assert sorted(ratios) == [0.25, 1.0]
    assert spy.rates == [[ratio * 0.03 for ratio in ratios]] * 5


def test_before_the_test_the_optimizer_s_own_rate_holds() -> None:
    spy = Spy()
    fit([Found(0.03, at_step=2), spy])
    assert [rates[0] for rates in spy.rates] == [0.1, 0.1, 0.03, 0.03, 0.03]


def test_without_the_option_the_rate_stays() -> None:
    spy, found = Spy(), Found(0.03)
    found.update_lr = False
    fit([found, spy])
    assert [rates[0] for rates in spy.rates] == [0.1] * 5 and found.lr == 0.03 and found.updated_to is None


@pytest.mark.parametrize("at_step", [0, 2])
def test_drops_are_those_of_the_suggested_rate(at_step: int) -> None:
    spy = Spy()
    fit([Found(0.03, at_step=at_step), MultiStepLR([3, 4], gamma=0.5, unit="steps"), spy])
    assert [rates[0] for rates in spy.rates] == [*([0.1] * at_step), *([0.03] * (3 - at_step)), 0.015, 0.0075]


def test_a_batch_size_range_test_behind_it_is_at_that_rate() -> None:
    sizes = BatchSizeRangeTest(sizes=[16, 32, 64], steps=2)
    fit([Found(0.03), sizes], steps=1)
    assert sizes.outcome is not None and sizes.outcome.lr == pytest.approx(0.03)  # type: ignore[attr-defined]


def test_a_second_run_asks_anew() -> None:
    spy, found = Spy(), Found(0.03)
    fit([found])
    found.answer.lr = 0.05
    fit([found, spy])
    assert [rates[0] for rates in spy.rates] == [0.05] * 5 and found.updated_to == 0.05


@pytest.mark.parametrize(
    ("callbacks", "message"),
    [
        (lambda: [Found(0.03), CyclicalLR(0.1, 0.2, half_cycle=2)], "update_lr has no part beside CyclicalLR"),
        (lambda: [Found(0.03), CyclicalLR(half_cycle=2, bounds="auto")], "update_lr has no part beside CyclicalLR"),
        (lambda: [MultiStepLR([3]), Found(0.03)], "update_lr needs LRRangeTest before MultiStepLR"),
        (lambda: [Found(None, "the curve is flat")], r"update_lr: .* suggests no rate \(the curve is flat\): leave"),
    ],
)
def test_refuses(callbacks: Callable[[], list[pl.Callback]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit(callbacks())


# From the command line


def suggested(run: Path) -> float:
    """What the range test of a run suggests."""
    lr = json.loads((run / "lr_range_test.json").read_text())["lr"]
    assert isinstance(lr, float)
    return lr


def test_the_run_is_that_of_the_suggested_rate(fit, capfd) -> None:
    """To the bit, its optimizer's state and its rows too; and the record says at which rate it trained."""
    updated = fit("updated", *QUICK)
    lr = suggested(updated)
    assert f"training at lr {lr:.3g}, in place of 0.01" in capfd.readouterr().err
    plain = fit("plain", "--optimizer.lr", repr(lr))
    assert_untouched(updated, plain)
    assert json.loads((updated / "result.json").read_text())["lr"] == lr
    assert "lr" not in json.loads((plain / "result.json").read_text())


@pytest.mark.parametrize(
    ("at_step", "stop", "more"), [(0, 1, ()), (0, 11, DROP), (7, 6, ()), (7, 7, DROP), (7, 8, ()), (7, 25, DROP)]
)
def test_a_resumed_run_is_the_unbroken_one(fit, cadence, monkeypatch, at_step: int, stop: int, more: tuple) -> None:
    """Stopped before, at and after the test, and behind a milestone."""
    from commands.configuration.cadence_cli import CadenceCLI

    options, build = (*QUICK, "--trainer.callbacks.at_step", at_step, *more), CadenceCLI.build_trainer
    whole = fit("whole", *options)
    with monkeypatch.context() as patch:
        patch.setattr(CadenceCLI, "build_trainer", lambda self, own, **kw: build(self, [*own, StopAfter(stop)], **kw))
        run = fit("broken", *options, status=130)
    assert cadence("fit", "--resume", run) == 0
    assert_untouched(run, whole)
    one, other = (json.loads((path / "result.json").read_text())["lr"] for path in (run, whole))
    assert one == other == suggested(whole)


def test_a_refusal_ends_the_run_and_says_why(fit, capfd) -> None:
    run = fit("run", *QUICK, "--trainer.callbacks.lower", "1e-10", "--trainer.callbacks.upper", "1e-9", status=2)
    last = capfd.readouterr().err.strip().splitlines()[-1]
    assert "update_lr: LRRangeTest suggests no rate (the curve is flat" in last and "leave update_lr out" in last
    assert json.loads((run / "lr_range_test.json").read_text())["refusal"] and not (run / "result.json").exists()


def test_a_fast_dev_run_keeps_the_optimizer_s_own(cadence, capfd) -> None:
    from tests.callbacks.conftest import PLAIN

    assert cadence("fit", *PLAIN, *QUICK, "--trainer.fast_dev_run", "2", "--run_dir", "brief") == 0
    assert "training at lr" not in capfd.readouterr().err
    assert "lr" not in json.loads(Path("brief/result.json").read_text())


def test_the_command_of_the_test_alone_has_no_such_option(cadence, capfd) -> None:
    assert cadence("lr-range-test", "-c", "digits_demo", "--range_test.update_lr", "true") == 2
    assert "range_test.update_lr" in capfd.readouterr().err


def test_a_schedule_is_not_drawn_before_the_rate_is_known(cadence, capfd) -> None:
    assert cadence("plot-schedule", "-c", "digits_demo", *QUICK) == 2
    assert "trainer.callbacks.update_lr" in capfd.readouterr().err


@pytest.mark.slow
def test_two_processes_train_at_one_rate(tmp_path: Path) -> None:
    from tests.callbacks.conftest import PLAIN

    two = ("--trainer.devices", "2", "--trainer.strategy", "ddp", "--trainer.accelerator", "cpu")
    done = subprocess.run(
        [sys.executable, "-m", "cli", "fit", *PLAIN, *QUICK, *two, "--trainer.max_steps", "3", "--run_dir", "two"],
        cwd=tmp_path, capture_output=True, text=True, timeout=300,
        env=os.environ | {"OMP_NUM_THREADS": "1", "MASTER_ADDR": "127.0.0.1", "PYTHONPATH": str(HOUSE)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stderr.count("training at lr") == 1
    [group] = checkpoint(tmp_path / "two")["optimizer_states"][0]["param_groups"]
    assert group["lr"] == suggested(tmp_path / "two")
