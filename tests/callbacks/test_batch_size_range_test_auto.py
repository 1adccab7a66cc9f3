"""The batch-size range test at the rate that an LRRangeTest before it suggests, and both cycles behind the tests."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from callbacks import BatchSizeRangeTest, CyclicalLR, LRRangeTest
from commands.configuration.shipped import shipped
from tests.callbacks.lr_runs import fit as fitted
from trainer.signals import RunStopped

FIRST = ("--trainer.callbacks+=LRRangeTest", "--trainer.callbacks.steps", "60", "--trainer.callbacks.seeds", "1",
         "--trainer.callbacks.lower", "1e-4", "--trainer.callbacks.upper", "1")  # fmt: skip
AUTO = ("--trainer.callbacks+=BatchSizeRangeTest", "--trainer.callbacks.sizes", "[16,32,64]",
        "--trainer.callbacks.steps", "20", "--trainer.callbacks.lr", "auto")  # fmt: skip
WHOLE = "digits_rate_and_batch_cycles"


def found(run: Path, test: str = "batch_size") -> dict:
    return json.loads((run / f"{test}_range_test.json").read_text())


def test_it_is_the_test_at_that_rate(fit) -> None:
    auto = fit("auto", *FIRST, *AUTO, "--trainer.max_steps", "1")
    suggested = found(auto, "lr")["lr"]
    given = fit("given", *AUTO[:-1], suggested, "--trainer.max_steps", "1")
    assert found(auto)["lr"] == suggested
    assert found(auto) | {"settings": None} == found(given) | {"settings": None}


def test_within_a_run_and_behind_others(fit) -> None:
    own = ("--trainer.callbacks.at_step", "5")
    run = fit("run", *FIRST, *own, *AUTO, *own, "--trainer.max_steps", "6")
    assert found(run)["lr"] == found(run, "lr")["lr"]


@pytest.mark.parametrize(
    ("callbacks", "said"),
    [
        (AUTO, "lr: auto needs LRRangeTest before BatchSizeRangeTest in trainer.callbacks: put one there, or give the"),
        ((*AUTO, *FIRST), "lr: auto needs LRRangeTest before BatchSizeRangeTest in trainer.callbacks"),
        ((*FIRST, "--trainer.callbacks.at_step", "3", *AUTO), "its at_step is 3, BatchSizeRangeTest's 0"),
        ((*FIRST, *AUTO[:-1], "often"), "trainer.callbacks.lr"),
        ((*FIRST, *AUTO[:-1], "0"), "trainer.callbacks.lr must be a number in (0, inf)"),
        (
            (*FIRST[:-4], "--trainer.callbacks.lower", "1e-12", "--trainer.callbacks.upper", "1e-11", *AUTO),
            "lr: LRRangeTest suggests none (the curve is flat",
        ),
    ],
)  # fmt: skip
def test_mistakes_take_three_lines_at_most(fit, capsys, callbacks: tuple, said: str) -> None:
    fit("run", *callbacks, "--trainer.max_steps", "4", status=2)
    told = [line for line in capsys.readouterr().err.strip().splitlines() if not line.startswith("LR range test: ")]
    assert len(told) <= 3 and said in "\n".join(told), told


def test_a_fast_dev_run_takes_the_optimizer_s_own_rate(fit) -> None:
    fit("run", *FIRST, *AUTO, "--trainer.fast_dev_run", "2")


def test_the_command_runs_both_tests(cadence, tmp_path: Path) -> None:
    """The rate's test is a part of it; policies are not."""
    options = ("--range_test.sizes", "[8,16,32]", "--range_test.steps", "10", "--range_test.lr", "auto")
    run = tmp_path / "run"
    assert cadence("batch-size-range-test", "-c", WHOLE, *options, "--run_dir", run) in (0, 1)
    assert found(run)["lr"] == found(run, "lr")["lr"] and not list(run.glob("*.ckpt"))
    bare = ("--model", "MLP", "--data", "Digits", "--optimizer", "SGD", "--optimizer.lr", "0.1")
    assert cadence("batch-size-range-test", *bare, *options, "--run_dir", tmp_path / "bare") == 2


def test_a_stopped_test_goes_on_at_the_same_rate(fit, cadence, monkeypatch) -> None:
    from callbacks.range_tests import kept_trials
    from callbacks.range_tests.rehearsal import Rehearsal

    whole = fit("whole", *FIRST, *AUTO, "--trainer.max_steps", "1")
    monkeypatch.setattr(kept_trials, "KEEP_EVERY", 0.0)
    step, made = Rehearsal.step, SimpleNamespace(count=0)

    def counting(self: Rehearsal, number: int, lr: float) -> object:
        made.count += 1
        if made.count == 85:  # in the second of the sizes
            raise RunStopped
        return step(self, number, lr)

    with monkeypatch.context() as patch:
        patch.setattr(Rehearsal, "step", counting)
        run = fit("run", *FIRST, *AUTO, "--trainer.max_steps", "1", status=130)
    assert cadence("fit", "--resume", run) == 0
    assert found(run) == found(whole)


def test_both_tests_and_both_cycles_are_one_fit(cadence, tmp_path: Path) -> None:
    """Rate and batch size go between what the tests of the same run have found."""
    run = tmp_path / "run"
    assert cadence("fit", "-c", WHOLE, "--trainer.max_epochs", "5", "--run_dir", run) == 0
    (lowest, highest), (least, most) = found(run, "lr")["bounds"], found(run)["bounds"]
    assert found(run)["lr"] == found(run, "lr")["lr"]
    assert lowest < found(run)["lr"] < highest
    header, *rows = [line.split(",") for line in (run / "metrics.csv").read_text().splitlines()]
    known = {
        name: [float(row[header.index(name)]) for row in rows if row[header.index(name)]]
        for name in ("lr", "batch_size")
    }
    assert all(lowest <= rate <= highest for rate in known["lr"]) and max(known["lr"]) > 10 * lowest
    whole = {size for size in known["batch_size"] if size % 8 == 0}  # the last batch of a pass is what remains of it
    assert whole and whole <= set(range(least, most + 1, 8)) and max(known["batch_size"]) <= most
    assert (run / "lr_range_test.png").is_file() and (run / "batch_size_range_test.png").is_file()


def test_the_configuration_is_shipped() -> None:
    assert WHOLE in shipped()


def test_in_python() -> None:
    first = LRRangeTest(steps=60, seeds=1, lower=1e-4, upper=1.0)
    test = BatchSizeRangeTest([8, 32, 128], 20, lr="auto", noise_scale=False)
    fitted([first, CyclicalLR(half_cycle=1, bounds="auto"), test], steps=1)
    assert test.outcome.lr == first.lr and test.lr == "auto"
