"""A range test that is stopped goes on where it was, and finds what the unbroken one finds, to the bit."""

import csv
import json
from pathlib import Path

import pytest
import torch

from callbacks.range_tests import kept_trials as _kept_trials
from callbacks.range_tests.batch_size_trainings import Point, trained
from callbacks.range_tests.kept_trials import Kept, read
from callbacks.range_tests.losses import last_tenth
from callbacks.range_tests.rehearsal import Rehearsal
from callbacks.range_tests.trials import Found, Trials
from tests.callbacks.on_the_side import scripted
from tests.callbacks.records import assert_untouched
from trainer.progress import Counter
from trainer.signals import RunStopped

NET = ("--model", "ResNet", "--model.depth", "8", "--optimizer", "SGD", "--optimizer.lr", "0.05",
       "--optimizer.momentum", "0.9", "--trainer.max_epochs", "1", "--trainer.max_steps", "3")  # fmt: skip
LR = ("--trainer.callbacks+=LRRangeTest", "--trainer.callbacks.seeds", "2", "--trainer.callbacks.steps", "50")
RATES = ("--trainer.callbacks+=LRRangeTest", "--trainer.callbacks.candidates", "3",
         "--trainer.callbacks.candidate_steps", "30", "--trainer.callbacks.upper", "1e3",
         "--trainer.callbacks.seeds", "1")  # fmt: skip
SIZES = ("--trainer.callbacks+=BatchSizeRangeTest", "--trainer.callbacks.sizes", "[8,16,32,5000]",
         "--trainer.callbacks.steps", "30")  # fmt: skip
RACE = ("--trainer.callbacks+=LRRangeTest", "--trainer.callbacks.seeds", "1", "--trainer.callbacks.steps", "60",
        "--trainer.callbacks.refine", "3", "--trainer.callbacks.refine_steps", "24")  # fmt: skip
HELD_OUT = (*RACE, "--trainer.callbacks.on", "held_out")
TESTS = {"sweeps": LR, "candidates": RATES, "race": RACE, "race by held-out loss": HELD_OUT, "batch sizes": SIZES}
# Steps of copies after which the process ends: within a trial, at its end, and in later ones.
STOPS = {
    "sweeps": [7, 20, 41, 50, 95], "candidates": [30, 51], "race": [61, 90, 130],
    "race by held-out loss": [41, 90, 130], "batch sizes": [25, 31, 75],
}  # fmt: skip


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test is kept at every look at its losses, as if a minute had passed."""
    monkeypatch.setattr(_kept_trials, "KEEP_EVERY", 0.0)


class Steps:
    """Counts the steps of copies, and ends the process before one of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count, self.last = 0, None
        step = Rehearsal.step

        def counting(copy: Rehearsal, number: int, lr: float) -> torch.Tensor:
            if self.count == self.last:
                raise RunStopped
            self.count += 1
            return step(copy, number, lr)

        monkeypatch.setattr(Rehearsal, "step", counting)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    return Steps(monkeypatch)


def results(run: Path) -> tuple[list[dict[str, str]], dict]:
    """Table and answer, without the seconds."""
    (table,) = run.glob("*_range_test.csv")
    with table.open() as file:
        rows = [{name: value for name, value in row.items() if name != "seconds"} for row in csv.DictReader(file)]
    return rows, json.loads(table.with_suffix(".json").read_text())


@pytest.mark.parametrize("test", TESTS)
def test_stopped_and_resumed_equals_unbroken(fit, cadence, at_once, steps: Steps, test: str, capsys) -> None:
    whole = fit("whole", *NET, *TESTS[test])
    all_steps, repeated = steps.count, 0
    for stop in STOPS[test]:
        steps.count, steps.last = 0, stop
        run = fit(f"stopped after {stop}", *NET, *TESTS[test], status=130)
        steps.last = None
        if not list(run.glob("*.ckpt")):
            assert stop <= 20
        assert "Go on with: cadence fit --resume" in capsys.readouterr().out
        assert cadence("fit", "--resume", run) == 0
        assert results(run) == results(whole)
        assert_untouched(run, whole)
        assert not list(run.glob("*.ckpt"))
        repeated += steps.count - all_steps
    assert 0 < repeated < 20 * len(STOPS[test])


def test_stopped_again_and_again(fit, cadence, at_once, steps: Steps) -> None:
    whole = fit("whole", *NET, *SIZES)
    steps.count, steps.last = 0, 27
    run = fit("run", *NET, *SIZES, status=130)
    for _ in range(2):
        steps.count = 0
        assert cadence("fit", "--resume", run) == 130
    steps.last = None
    assert cadence("fit", "--resume", run) == 0
    assert results(run) == results(whole)
    assert_untouched(run, whole)


def test_within_a_run(fit, cadence, at_once, steps: Steps) -> None:
    """Behind the first epoch's checkpoint: the run trains from there to the test, which goes on."""
    options = (*LR, "--trainer.callbacks.at_step", "20")
    whole = fit("whole", *options)
    steps.count, steps.last = 0, 70
    run = fit("run", *options, status=130)
    steps.count, steps.last = 0, None
    assert cadence("fit", "--resume", run) == 0
    assert steps.count <= 100 - 60
    assert results(run) == results(whole)
    assert_untouched(run, whole)


def test_an_answer_outlives_a_stop_before_a_checkpoint(fit, cadence, at_once, steps: Steps, monkeypatch) -> None:
    from callbacks import LRRangeTest

    whole = fit("whole", *LR)
    with monkeypatch.context() as patch:
        run_test = LRRangeTest.run

        def stopped(self: LRRangeTest, trainer: object) -> None:
            run_test(self, trainer)
            raise RunStopped

        patch.setattr(LRRangeTest, "run", stopped)
        run = fit("run", *LR, status=130)
    took = json.loads((whole / "result.json").read_text())["seconds"]["rehearsal"]
    steps.count = 0
    assert cadence("fit", "--resume", run) == 0
    assert steps.count == 0
    assert json.loads((run / "result.json").read_text())["seconds"]["rehearsal"] > took / 3
    assert results(run) == results(whole)


def test_the_bar_goes_on_where_it_was(fit, cadence, at_once, steps: Steps, monkeypatch) -> None:
    made, init = [], Counter.__init__
    monkeypatch.setattr(Counter, "__init__", lambda self, *given: [made.append(given[3]), init(self, *given)][1])
    steps.last = 75
    run = fit("run", *LR, status=130)
    steps.last = None
    assert cadence("fit", "--resume", run) == 0
    assert made == [0, 70]  # all of the first sweep, and 20 of the second, whose losses had been read


def test_a_short_test_leaves_no_file(fit, steps: Steps) -> None:
    steps.last = 90
    run = fit("run", *LR, status=130)
    assert not list(run.glob("*.ckpt"))


def test_a_size_that_did_not_fit_is_not_tried_again(fit, cadence, at_once, monkeypatch) -> None:
    step, tried = Rehearsal.step, []

    def small_memory(self: Rehearsal, number: int, lr: float) -> torch.Tensor:
        tried.append(size := self.stream.size(number))
        if size == 16 and number == 25:
            raise MemoryError
        if size == 32 and number == 5 and tried.count(32) == 6:
            raise RunStopped
        return step(self, number, lr)

    monkeypatch.setattr(Rehearsal, "step", small_memory)
    run = fit("run", *SIZES, "--trainer.max_steps", "1", status=130)
    assert cadence("fit", "--resume", run) == 0
    statuses = {row["size"]: row["status"] for row in results(run)[0]}
    assert statuses["16"] == "out of memory" and statuses["32"] == "finished" and tried.count(16) == 26


def test_other_settings_are_refused(fit, cadence, at_once, steps: Steps, capsys) -> None:
    steps.last = 45
    run = fit("run", *LR, status=130)
    steps.last = None
    capsys.readouterr()
    assert cadence("fit", "--resume", run, "--trainer.callbacks.steps", "60") == 2
    told = capsys.readouterr().err
    assert "trainer.callbacks.LRRangeTest.steps is 50, and would be 60" in told and len(told.splitlines()) == 3
    assert cadence("fit", "--resume", run) == 0


def test_large_batches_are_read_often() -> None:
    """A step of 4,000 samples may take minutes: after every second one the losses are read, and may be kept."""
    done: list[int] = []
    trained(scripted([1.0] * 30, done.append), 4000, 30, 5, 0.1, None)
    assert done == [2, 2, 1, *[2] * 7, 1, *[2] * 5]
    again = scripted([1.0] * 40 + [float("nan")] * 20)
    assert trained(again, 64, 60, 0, 0.1, None).status == trained(again, 64, 90, 0, 0.1, None).status == "non-finite"


def test_a_size_that_is_done_is_judged_by_its_losses_as_they_are_judged_now() -> None:
    """Only what no loss tells is kept beside the losses; there is no copy left to ask."""
    losses = [3.0 - 0.1 * step for step in range(40)]
    kept = Found(losses, 1.5, {"20": {"held_out": 2.5}, "40": {"held_out": 0.5}})
    one = trained(Trials(lambda steps: None, {"64": kept})("64", start=pytest.fail), 64, 40, 20, 0.1, None)
    assert one.at_samples == Point(20, *last_tenth(losses[:20]), held_out=2.5)
    assert one.at_steps == Point(40, *last_tenth(losses), held_out=0.5) and one.seconds == 1.5


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn"])
def test_a_damaged_file_is_named(fit, cadence, at_once, steps: Steps, content: bytes, capsys) -> None:
    steps.last = 45
    run = fit("run", *LR, status=130)
    (run / "lr_range_test.ckpt").write_bytes(content)
    assert cadence("fit", "--resume", run) == 2
    told = capsys.readouterr().err
    assert "lr_range_test.ckpt is damaged" in told and "and the test begins again by\n  cadence fit --resume " in told
    (run / "lr_range_test.ckpt").unlink()
    steps.last = None
    assert cadence(*told.splitlines()[-1].split()[1:]) == 0


def test_nothing_is_kept_where_there_is_no_file(tmp_path: Path) -> None:
    assert read(tmp_path / "none.ckpt", {}) == Kept()
