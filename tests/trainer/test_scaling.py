"""A gradient scaler's skipped steps: tried again on the same batch, counted, and no part of any schedule."""

import csv
import math
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.plugins.precision import MixedPrecision

import commands.range_tests
import commands.session
from tests.commands.test_resume import rows, weights
from tests.stopping import StopAfter

RUN = (
    "fit", "--model", "MLP", "--model.hidden_sizes", "[16]", "--data", "Digits", "--optimizer", "Adam",
    "--optimizer.lr", "0.01", "--trainer.max_epochs", "1", "--trainer.log_every_n_steps", "1",
    "--trainer.enable_progress_bar", "false", "--trainer.callbacks+=CyclicalLR", "--trainer.callbacks.lower", "0.001",
    "--trainer.callbacks.upper", "0.01", "--trainer.callbacks.half_cycle", "5", "--trainer.callbacks.unit", "steps",
    "--trainer.callbacks+=CyclicalBatchSize", "--trainer.callbacks.lower", "40", "--trainer.callbacks.upper", "80",
    "--trainer.callbacks.half_cycle", "1", "--model.gradient_clip_norm", "5",
    "--trainer.deterministic", "true",
)  # fmt: skip
TOO_LARGE = 2.0**30  # of which some halvings lead to a scale that fits


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def scaled(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch):
    """Have the runs that follow train in 16-mixed, from a scale on, with callbacks of the test's own."""
    from commands.configuration.cadence_cli import CadenceCLI

    plugins, build = commands.session.plugins_of, CadenceCLI.build_trainer

    def begin(scale: float, *callbacks: pl.Callback) -> None:
        def ours(cli: CadenceCLI) -> list[object]:
            scaler = torch.amp.GradScaler(request.param, init_scale=scale)
            return [*plugins(cli), MixedPrecision("16-mixed", request.param, scaler)]

        monkeypatch.setattr(commands.session, "plugins_of", ours)
        monkeypatch.setattr(commands.range_tests, "plugins_of", ours)

        def built(self: CadenceCLI, extra: list[pl.Callback], **options: object) -> pl.Trainer:
            return build(self, [*callbacks, *extra], **options, accelerator=request.param)

        monkeypatch.setattr(CadenceCLI, "build_trainer", built)

    return begin


class Heard(pl.Callback):
    """The batches' labels, and how many optimizer steps a run says that it has made."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.steps: list[int] = []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx) -> None:
        self.batches.append(batch[1].tolist())

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        self.steps.append(trainer.global_step)


def settled(found: list[dict[str, str]]) -> float:
    """The scale that a run came down to."""
    return min(float(row["train/loss_scale"]) for row in found if row.get("train/loss_scale"))


def without(found: list[dict[str, str]]) -> list[dict[str, str]]:
    ours = ("train/skipped_steps", "train/loss_scale")
    return [{name: value for name, value in row.items() if name not in ours} for row in found]


def test_skipped_steps_advance_nothing_and_are_counted(cadence, scaled) -> None:
    first, second = Heard(), Heard()
    scaled(TOO_LARGE, first)
    assert cadence(*RUN, "--run_dir", "skipping") == 0
    skipping = rows(Path("skipping"))
    scaled(settled(skipping), second)
    assert cadence(*RUN, "--run_dir", "fitting") == 0
    fitting = rows(Path("fitting"))
    counts = [int(float(row["train/skipped_steps"])) for row in skipping if row.get("train/skipped_steps")]
    assert counts[0] >= 3 and counts[-1] == math.log2(TOO_LARGE / settled(skipping))
    assert counts == sorted(counts) and len(counts) == len(first.steps)
    assert {row["train/skipped_steps"] for row in fitting if row.get("train/loss")} == {"0.0"}
    assert first.steps == list(range(1, len(first.steps) + 1)) == second.steps
    assert first.batches == second.batches and sum(map(len, first.batches)) == 998
    assert without(skipping) == without(fitting), "rates, batch sizes, losses: a power of two rounds nothing"
    mine, theirs = weights(Path("skipping")), weights(Path("fitting"))
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs)


def test_a_resumed_run_counts_on(cadence, scaled) -> None:
    scaled(TOO_LARGE)
    assert cadence(*RUN, "--run_dir", "whole") == 0
    scaled(TOO_LARGE, StopAfter(4))
    assert cadence(*RUN, "--run_dir", "broken") == 130
    scaled(TOO_LARGE)
    assert cadence("fit", "--resume", "broken") == 0
    assert rows(Path("broken")) == rows(Path("whole"))


def test_plain_precision_logs_neither(cadence) -> None:
    assert cadence(*RUN, "--run_dir", "run") == 0
    assert not any("scale" in name or "skipped" in name for name in rows(Path("run"))[0])


def test_a_loss_that_is_not_finite_ends_the_run_at_once(cadence, scaled, capsys) -> None:
    scaled(1024.0)
    assert cadence(*RUN, "--trainer.callbacks", "[]", "--optimizer.lr", "1e30", "--run_dir", "run") == 3
    assert "the training loss is" in capsys.readouterr().err


class NoGradient(pl.Callback):
    """From the third step on, one weight's gradient is not a number."""

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx) -> None:
        if batch_idx == 2:
            next(pl_module.parameters()).register_hook(lambda gradient: gradient * float("nan"))


def test_a_gradient_that_no_scale_helps_is_told(cadence, scaled, capsys) -> None:
    scaled(1024.0, NoGradient())
    assert cadence(*RUN, "--run_dir", "run") == 2
    told = capsys.readouterr().err
    assert "trainer.precision: the gradient of step 3 is not finite at any loss scale, though the loss is" in told
    assert "set it to bf16-mixed" in told and "Traceback" not in told


def test_a_range_test_tries_skipped_steps_again(cadence, scaled) -> None:
    curves = []
    for number, scale in enumerate((TOO_LARGE, 1024.0)):
        scaled(scale)
        test = ("lr-range-test", *RUN[1:11], "--range_test.steps", "40", "--range_test.seeds", "1")
        assert cadence(*test, "--run_dir", f"test{number}") in (0, 1)
        with next(Path(f"test{number}").rglob("*.csv")).open() as file:
            curves.append([{name: row[name] for name in row} for row in csv.DictReader(file)])
    assert len(curves[0]) >= 40
    for wanted, found in zip(curves[1], curves[0], strict=True):
        assert float(found["loss"]) == pytest.approx(float(wanted["loss"]), rel=1e-2)
