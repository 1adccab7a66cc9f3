"""A signal during a range test: the run ends at once and says so; whoever handled signals before does so again."""

import signal
from pathlib import Path

import pytest

from callbacks._progress import Counter

OPTIONS = [
    "--model", "MLP", "--model.hidden_sizes", "[8]", "--data", "Digits", "--optimizer", "SGD", "--optimizer.lr", "0.1",
    "--trainer.accelerator", "cpu", "--trainer.enable_progress_bar", "false",
]  # fmt: skip
TESTS = {
    "LRRangeTest": ("lr-range-test", ["steps", "80"]),
    "BatchSizeRangeTest": ("batch-size-range-test", ["sizes", "[8,32,128]", "steps", "60"]),
}
both_signals = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
both_tests = pytest.mark.parametrize("test", TESTS)


@pytest.fixture
def signalled(monkeypatch: pytest.MonkeyPatch, number: signal.Signals) -> list[int]:
    """The signal comes when the range test has done its first steps; what it has counted by then."""
    count, counted = Counter.__call__, []

    def counting(self: Counter, steps: int) -> None:
        count(self, steps)
        counted.append(steps)
        signal.raise_signal(number)

    monkeypatch.setattr(Counter, "__call__", counting)
    return counted


def settings(test: str, prefix: str) -> list[str]:
    words = TESTS[test][1]
    return [word if place % 2 else f"--{prefix}.{word}" for place, word in enumerate(words)]


def handlers() -> list:
    return [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]


@both_signals
@both_tests
def test_of_a_run(cadence, test: str, signalled: list[int], tmp_path: Path, capsys) -> None:
    before = handlers()
    given = ["--trainer.max_epochs", "1", f"--trainer.callbacks+={test}", *settings(test, "trainer.callbacks")]
    assert cadence("fit", *OPTIONS, *given, "--run_dir", "run") == 130
    assert len(signalled) == 1 and handlers() == before
    assert "Stopped before the first checkpoint: start anew, run is no run to go on with" in capsys.readouterr().out
    assert not list((tmp_path / "run").glob("*_range_test.*"))


@both_signals
@both_tests
def test_of_a_run_that_has_a_checkpoint(cadence, test: str, signalled: list[int], capsys) -> None:
    """In its second epoch, behind the checkpoint of the first."""
    given = ["--trainer.max_epochs", "2", f"--trainer.callbacks+={test}", *settings(test, "trainer.callbacks")]
    later = ["--trainer.callbacks.at_step", "20"]
    assert cadence("fit", *OPTIONS, *given, *later, "--run_dir", "run") == 130
    assert "Go on with: cadence fit --resume run" in capsys.readouterr().out


@both_signals
@both_tests
def test_alone(cadence, test: str, signalled: list[int], capsys) -> None:
    before = handlers()
    assert cadence(TESTS[test][0], *OPTIONS, *settings(test, "range_test"), "--run_dir", "run") == 130
    assert len(signalled) == 1 and handlers() == before
    assert "Stopped before the end of the test" in capsys.readouterr().out
