"""The LR range test leaves no trace in the run, says honestly why it stopped, and gives what it measured."""

import csv
import json

import numpy as np
import pytest

from callbacks import LRRangeTest
from callbacks.range_tests.lr_sweeps import candidates, rates, swept
from callbacks.range_tests.trials import READ_EVERY
from tests.callbacks.on_the_side import scripted
from tests.callbacks.records import Generator, assert_same, assert_untouched
from tests.stopping import StopAfter

QUICK = ("--trainer.callbacks+=LRRangeTest", "--trainer.callbacks.steps", "40", "--trainer.callbacks.seeds", "2")


@pytest.mark.parametrize("at_step", [0, 7, 16, 20])
def test_the_run_is_untouched(fit, noted: list[Generator], at_step: int) -> None:
    """Before training, within an epoch, at its boundary, with dropout and augmentation."""
    augment = ("--data.augment+=RandomCrop", "--data.augment.padding", "1")
    plain = fit("plain", *augment)
    tested = fit("tested", *augment, *QUICK, "--trainer.callbacks.at_step", at_step)
    assert_untouched(tested, plain)
    assert_same(noted[0].states, noted[1].states)
    assert (tested / "lr_range_test.json").is_file()


def test_the_run_is_untouched_with_batch_norm_momentum_and_micro_batches(fit) -> None:
    net = ("--model", "ResNet", "--model.depth", "8", "--model.micro_batch_size", "24", "--optimizer", "SGD",
           "--optimizer.lr", "0.1", "--optimizer.momentum", "0.9", "--trainer.max_steps", "8")  # fmt: skip
    assert_untouched(fit("tested", *net, *QUICK, "--trainer.callbacks.at_step", 5), fit("plain", *net))


def test_a_resumed_run_is_untouched_and_does_not_test_again(fit, cadence, monkeypatch) -> None:
    from commands.configuration.cadence_cli import CadenceCLI

    plain, build = fit("plain"), CadenceCLI.build_trainer
    with monkeypatch.context() as patch:
        patch.setattr(CadenceCLI, "build_trainer", lambda self, extra, **kw: build(self, [*extra, StopAfter(11)], **kw))
        run = fit("tested", *QUICK, status=130)
    made = (run / "lr_range_test.json").stat().st_mtime_ns
    assert cadence("fit", "--resume", run) == 0
    assert_untouched(run, plain)
    assert (run / "lr_range_test.json").stat().st_mtime_ns == made


def test_what_it_leaves(fit) -> None:
    run = fit("run", *QUICK, "--trainer.callbacks.lower", "1e-5", "--trainer.callbacks.upper", "1")
    found = json.loads((run / "lr_range_test.json").read_text())
    with (run / "lr_range_test.csv").open() as file:
        table = list(csv.DictReader(file))
    assert set(found["stopped"]) <= {"finished", "diverged", "non-finite"}
    assert {row["seed"] for row in table} == {"0", "1"}
    lrs = [float(row["lr"]) for row in table if row["seed"] == "0"]
    assert np.allclose(lrs, np.geomspace(1e-5, 1, 40)[: len(lrs)])
    assert found["settings"]["steps"] == 40 and found["optimizer"] == "Adam"
    assert (run / "lr_range_test.png").stat().st_size > 10_000
    seconds = json.loads((run / "result.json").read_text())["seconds"]
    assert seconds["rehearsal"] > 0


def test_candidates_each_start_afresh(fit) -> None:
    run = fit("run", "--trainer.callbacks+=LRRangeTest", "--trainer.callbacks.candidates", "5",
              "--trainer.callbacks.candidate_steps", "20", "--trainer.callbacks.seeds", "1",
              "--trainer.callbacks.lower", "1e-9", "--trainer.callbacks.upper", "1e-1",
              "--trainer.max_steps", "1")  # fmt: skip
    with (run / "lr_range_test.csv").open() as file:
        losses = [float(row["loss"]) for row in csv.DictReader(file)]
    assert len(losses) == 5
    assert losses[0] == pytest.approx(losses[1], abs=0.01)  # rates too small to learn anything: the same start
    assert min(losses[3:]) < losses[0] - 0.5
    assert set(json.loads((run / "lr_range_test.json").read_text())["rules"]) == {"lowest", "bounds"}


@pytest.mark.parametrize(
    ("losses", "stopped", "kept"),
    [
        ([1.0] * 60, "finished", 60),
        ([1.0] * 30 + [50.0] * 30, "diverged", 31),
        ([1.0] * 30 + [float("nan")] * 30, "non-finite", 30),
        ([1.0] * 30 + [float("inf")] * 30, "non-finite", 30),
        ([float("nan")] * 60, "non-finite", 0),
    ],
)
def test_stop_reasons(losses: list[float], stopped: str, kept: int) -> None:
    done: list[int] = []
    sweep = swept(scripted(losses, done.append), rates(1e-4, 1, 60, "exponential"), 0.9, 4.0)
    assert (sweep.stopped, len(sweep.losses)) == (stopped, kept)
    assert sum(done) == (60 if stopped == "finished" else -(-(kept + 1) // READ_EVERY) * READ_EVERY)


def test_a_candidate_that_blows_up_is_recorded() -> None:
    curves = [[1.0] * 20, [1.0] * 10 + [0.5] * 10, [1.0] * 10 + [float("nan")] * 10]
    sweep = candidates(lambda index: scripted(curves[index]), np.array([1e-3, 1e-2, 1e-1]), 20, 4.0)
    assert sweep.losses.tolist() == [1.0, 0.5, float("inf")]
    assert sweep.stopped == "non-finite" and sweep.errors.tolist() == [0.0, 0.0, 0.0]


def test_a_candidate_s_error_is_that_of_its_last_steps() -> None:
    wide, narrow = [1.0, 3.0] * 20, [1.0] * 38 + [1.9, 2.1]
    curves = [wide, wide, narrow]
    sweep = candidates(lambda index: scripted(curves[index]), np.array([1e-3, 1e-2, 1e-1]), 40, 4.0)
    error = np.std([1.0, 3.0] * 2, ddof=1) / 2
    assert sweep.losses.tolist() == [2.0, 2.0, 1.5] and np.allclose(sweep.errors, [error] * 3)
    alone = candidates(lambda index: scripted(curves[index]), np.array([1e-3, 1e-2, 1e-1]), 19, 4.0)
    assert np.allclose(alone.errors, (16 / 6) ** 0.5)  # a single step's, by second differences of 4
    assert candidates(lambda index: scripted(curves[index]), np.array([1e-3, 1e-2, 1e-1]), 2, 4.0).errors is None


def test_rates() -> None:
    assert np.allclose(rates(1e-9, 10, 11, "exponential"), [10.0**power for power in range(-9, 2)])
    assert np.allclose(rates(1, 5, 5, "linear"), [1, 2, 3, 4, 5])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lower": 1, "upper": 0.1}, "lower must lie between 0 and upper"),
        ({"steps": 3}, "steps must lie in"),
        ({"seeds": 0}, "seeds must lie in"),
        ({"candidates": 2}, "candidates must lie in"),
        ({"candidate_steps": 5}, "candidate_steps needs candidates"),
        ({"smoothing": 1.0}, "smoothing must lie in"),
        ({"diverged_at": 1.0}, "diverged_at must be above 1"),
    ],
)
def test_mistakes_are_named(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LRRangeTest(**options)
