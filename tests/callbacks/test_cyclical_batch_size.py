"""Batches whose size follows a cycle: lengths, validations, logs and what remains afterwards are right."""

import json
from pathlib import Path

import pytest
import pytorch_lightning as pl

from callbacks import CyclicalBatchSize
from callbacks.cyclical_batch_size import rounded
from datamodules import Digits
from tests.callbacks.records import rows
from tests.stopping import StopAfter
from timeline.position import Position

CYCLE = (
    "--trainer.callbacks+=CyclicalBatchSize", "--trainer.callbacks.lower", "16", "--trainer.callbacks.upper", "96",
    "--trainer.callbacks.half_cycle", "1.5", "--trainer.callbacks.gamma", "0.7",
)  # fmt: skip
SAMPLES = 998


class Watcher(pl.Callback):
    """What Lightning and the callbacks are told as a run goes."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.lengths: list[tuple[int, int]] = []
        self.validated: list[int] = []
        self.bars: list[float] = []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        self.sizes.append(len(batch[1]))

    def on_train_epoch_end(self, trainer, pl_module) -> None:
        done = trainer.fit_loop.epoch_loop.batch_progress.current.completed
        self.lengths.append((trainer.num_training_batches, done))

    def on_validation_end(self, trainer, pl_module) -> None:
        if not trainer.sanity_checking:
            self.validated.append(trainer.global_step)


@pytest.fixture
def watcher(monkeypatch: pytest.MonkeyPatch) -> Watcher:
    from commands.configuration.cadence_cli import CadenceCLI

    build, watcher = CadenceCLI.build_trainer, Watcher()
    monkeypatch.setattr(CadenceCLI, "build_trainer", lambda self, extra, **kw: build(self, [*extra, watcher], **kw))
    return watcher


def expected(epochs: int) -> tuple[list[int], list[int]]:
    """Sizes of all steps, and steps of each pass, by the obvious walk."""
    sizes, lengths, schedule = [], [], CyclicalBatchSize(1.5, 16, 96, gamma=0.7).sizes()
    for epoch in range(epochs):
        left, first = SAMPLES, len(sizes)
        while left:
            seen = SAMPLES - left
            size = min(schedule(Position(len(sizes), epoch * SAMPLES + seen, epoch + seen / SAMPLES)), left)
            sizes.append(size)
            left -= size
        lengths.append(len(sizes) - first)
    return sizes, lengths


def test_sizes_lengths_and_validations(fit, watcher: Watcher) -> None:
    run = fit("run", *CYCLE, "--trainer.max_epochs", "4")
    sizes, lengths = expected(4)
    assert watcher.sizes == sizes
    assert watcher.lengths == [(length, length) for length in lengths]
    assert len(set(lengths)) > 1  # else this would show nothing
    ends = [sum(lengths[: epoch + 1]) for epoch in range(4)]
    assert watcher.validated == ends
    assert json.loads((run / "result.json").read_text())["steps"] == ends[-1]
    logged = [row for row in rows(run) if row["batch_size"]]
    assert [int(row["step"]) for row in logged] == list(range(5, ends[-1] + 1, 5))
    for row in logged:
        step = int(row["step"])
        assert float(row["batch_size"]) == sizes[step - 1]
        assert float(row["samples_seen"]) == float(row["samples"]) == sum(sizes[:step])
        assert float(row["lr_over_batch_size"]) == pytest.approx(0.01 / sizes[step - 1])


def test_max_steps_and_validation_within_the_epoch(fit, watcher: Watcher) -> None:
    fit("run", *CYCLE, "--trainer.max_steps", "47", "--trainer.max_epochs", "-1", "--trainer.val_check_interval", "0.5")
    sizes, lengths = expected(4)
    assert watcher.sizes == sizes[:47]
    halves, first = [], 0
    for length in lengths:
        half = max(length // 2, 1)
        halves += [first + done for done in range(half, length + 1, half)]
        first += length
    assert watcher.validated == [step for step in halves if step <= 47]


@pytest.mark.parametrize("stop", [3, 20, 31, 47])
def test_resumed_equals_unbroken(fit, cadence, monkeypatch, stop: int) -> None:
    from commands.configuration.cadence_cli import CadenceCLI
    from tests.callbacks.records import assert_same, checkpoint

    whole, build = fit("whole", *CYCLE, "--trainer.max_epochs", "3"), CadenceCLI.build_trainer
    with monkeypatch.context() as patch:
        patch.setattr(
            CadenceCLI, "build_trainer", lambda self, extra, **kw: build(self, [*extra, StopAfter(stop)], **kw)
        )
        run = fit("run", *CYCLE, "--trainer.max_epochs", "3", status=130)
    assert cadence("fit", "--resume", run) == 0
    assert rows(run) == rows(whole)
    assert_same(checkpoint(run)["state_dict"], checkpoint(whole)["state_dict"])


def test_fast_dev_run_and_limits(fit, watcher: Watcher, tmp_path: Path) -> None:
    fit("dev", *CYCLE, "--trainer.fast_dev_run", "true")
    assert len(watcher.sizes) == 1
    watcher.sizes.clear()
    fit("limited", *CYCLE, "--trainer.limit_train_batches", "4", "--trainer.max_epochs", "2")
    assert len(watcher.sizes) == 8


def test_the_datamodule_gets_its_own_size_back() -> None:
    data = Digits(batch_size=50)
    data.setup("fit")
    policy = CyclicalBatchSize(2, 16, 64)
    policy.lay_stream(data)
    assert data.stream is not None and data.stream.size(0) == 16
    trainer = pl.Trainer(logger=False, enable_checkpointing=False, accelerator="cpu")
    trainer.datamodule = data
    policy.teardown(trainer, None, "fit")
    assert data.stream.size(0) == 50


def test_rounding() -> None:
    assert [rounded(value, 8) for value in (0.1, 8, 11.9, 12, 20, 1e4)] == [8, 8, 8, 16, 24, 10000]
    sizes = CyclicalBatchSize(1, 20, 100, granularity=6).sizes()
    assert all(sizes(Position(step, 0, step / 10)) % 6 == 0 for step in range(40))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lower": 16}, "upper is missing"),
        ({}, "lower is missing"),
        ({"lower": 16, "upper": 64, "bounds": "auto"}, "bounds: auto finds lower and upper by itself"),
        ({"lower": 0, "upper": 64}, "lower must be at least 1"),
        ({"lower": 64, "upper": 16}, "upper"),
        ({"lower": 16, "upper": 64, "granularity": 0}, "granularity must be at least 1"),
    ],
)
def test_mistakes_are_named(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CyclicalBatchSize(half_cycle=2, **options)


def test_auto_needs_a_range_test(fit, capfd) -> None:
    fit("run", "--trainer.callbacks+=CyclicalBatchSize", "--trainer.callbacks.half_cycle", "2",
        "--trainer.callbacks.bounds", "auto", status=2)  # fmt: skip
    assert "BatchSizeRangeTest" in capfd.readouterr().err
