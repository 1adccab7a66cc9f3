"""`--resume` of a range test alone: the same table and answer as without the stop, and what it refuses."""

import json
import shutil
import signal
from pathlib import Path

import pytest
import yaml

from tests.commands.test_range_tests import COPIES, RUN, both_tests, configuration
from trainer.progress import Counter

TESTS = {
    "LRRangeTest": ("lr-range-test", {"steps": 60, "seeds": 2}),
    "BatchSizeRangeTest": ("batch-size-range-test", {"sizes": [8, 32, 128], "steps": 50, "lr": 0.3}),
}


@pytest.fixture
def stop(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A number put into the list brings SIGTERM after so many steps; a test is saved at every look at its losses."""
    count, left = Counter.__call__, []

    def counting(self: Counter, steps: int) -> None:
        count(self, steps)
        if left:
            left[0] -= steps
            if left[0] <= 0:
                left.clear()
                signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(Counter, "__call__", counting)
    monkeypatch.setattr("callbacks.range_tests.kept_trials.KEEP_EVERY", 0.0)
    return left


def left_by(run: str) -> dict[str, str]:
    """All files but figures, without the column of seconds and the run's id."""
    texts = {path.name: path.read_text() for path in Path(run).iterdir() if path.suffix != ".png"}
    id_of_the_run = json.loads(texts["environment.json"])["run"]
    texts["environment.json"] = texts["environment.json"].replace(id_of_the_run, "ID")
    for name in texts:
        if name.endswith(".csv"):
            lines = texts[name].splitlines()
            texts[name] = "\n".join(line.rpartition(",")[0] if "seconds" in lines[0] else line for line in lines)
    return texts


def configured(test: str) -> list[str]:
    """A configuration with a test of its own at step 9, which a test alone never reaches."""
    return configuration("own", [{"class_path": test, "init_args": {**TESTS[test][1], "at_step": 9}}, COPIES])


@both_tests
def test_equals_unbroken(cadence, test: str, stop: list[int], capsys) -> None:
    command, own = TESTS[test][0], configured(test)
    assert cadence(command, *RUN, *own, "--run_dir", "whole") in (0, 1)
    for steps in (30, 75, 100):
        stop.append(steps)
        assert cadence(command, *RUN, *own, "--run_dir", "run") == 130
        assert f"Go on with: cadence {command} --resume {Path('run').absolute()}" in capsys.readouterr().out
        assert cadence(command, "--resume", "run") in (0, 1)
        assert left_by("run") == left_by("whole")
        shutil.rmtree("run")


def test_the_record_is_of_what_was_tested(cadence) -> None:
    """config.yaml alone gives the test again: the configuration's own test has become the command's."""
    own = configured("LRRangeTest")
    assert cadence("lr-range-test", *RUN, *own, "--run_dir", "run") in (0, 1)
    recorded = yaml.safe_load(Path("run/config.yaml").read_text())
    assert recorded["range_test"]["steps"] == 60 and len(recorded["trainer"]["callbacks"]) == 1
    assert cadence("lr-range-test", "-c", "run/config.yaml", "--run_dir", "again") in (0, 1)
    assert left_by("again") == left_by("run")


def test_each_command_goes_on_with_its_own(cadence, stop: list[int], capsys) -> None:
    own, here = configured("LRRangeTest"), Path.cwd()
    stop.append(50)
    assert cadence("lr-range-test", *RUN, *own, "--run_dir", "alone") == 130
    stop.append(50)
    first = ["--trainer.callbacks+=LRRangeTest", "--trainer.max_epochs", "1"]
    assert cadence("fit", *RUN, *first, "--run_dir", "run") == 130
    for arguments, part in (
        (
            ["fit", "--resume", "alone"],
            f"a run of lr-range-test: go on with it by\n  cadence lr-range-test --resume {here}/",
        ),
        (["lr-range-test", "--resume", "run"], f"a run of fit: go on with it by\n  cadence fit --resume {here}/run"),
        (["batch-size-range-test", "--resume", "alone"], "that is a run of lr-range-test: go on with it by"),
        (["lr-range-test", "--resume", "alone", "--range_test.steps", "70"], "range_test.steps is 60, and would be 70"),
        (["lr-range-test", "--resume", "alone", "--data.batch_size", "16"], "data.batch_size is 64, and would be 16"),
        (["lr-range-test", "--resume", "alone", "--optimizer", "Adam"], "optimizer is SGD, and would be Adam"),
        (
            ["fit", *RUN, *first, "--run_dir", "run"],
            f"name another, or go on with it by\n  cadence fit --resume {here}/run",
        ),
    ):
        capsys.readouterr()
        assert cadence(*arguments) == 2
        told = capsys.readouterr().err
        assert part in told and len(told.splitlines()) <= 3, told
    assert cadence("fit", "--resume", "run") == 0
    assert cadence("lr-range-test", "--resume", "alone") in (0, 1)
    capsys.readouterr()
    assert cadence("lr-range-test", "--resume", "alone") == 2
    assert "that test has ended, and its answer is in alone/lr_range_test.json" in capsys.readouterr().err
