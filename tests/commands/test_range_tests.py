"""`cadence lr-range-test` and `batch-size-range-test`: the test alone, its answer as the exit status, and mistakes."""

import csv
import json
import re
import signal
from pathlib import Path

import pytest
import yaml

from trainer.progress import Counter

RUN = [
    "--model", "MLP", "--model.hidden_sizes", "[8]", "--data", "Digits", "--optimizer", "SGD", "--optimizer.lr", "0.1",
    "--trainer.accelerator", "cpu", "--trainer.enable_progress_bar", "false",
]  # fmt: skip
LR = ["lr-range-test", *RUN]
SIZES = ["batch-size-range-test", *RUN]
QUICK = ["--range_test.seeds", "1", "--range_test.steps", "60", "--range_test.lower", "1e-4"]
FLAT = [
    "--range_test.seeds",
    "1",
    "--range_test.steps",
    "20",
    "--range_test.lower",
    "1e-12",
    "--range_test.upper",
    "1e-11",
]
THREE = ["--range_test.sizes", "[8,32,128]", "--range_test.steps", "60", "--range_test.lr", "0.3",
         "--range_test.noise_scale", "false"]  # fmt: skip


def found(run: str, name: str) -> dict:
    return json.loads((Path(run) / f"{name}.json").read_text())


def table(run: str, name: str = "lr_range_test") -> list[dict[str, str]]:
    with (Path(run) / f"{name}.csv").open() as file:
        return [{key: row[key] for key in row if key != "seconds"} for row in csv.DictReader(file)]


def files(run: str, name: str) -> None:
    """The run directory holds the test's files and none of a run."""
    there = {path.name for path in Path(run).rglob("*")}
    assert there == {"config.yaml", "environment.json", f"{name}.json", f"{name}.csv", f"{name}.png"}


def test_learning_rates(cadence, capsys) -> None:
    assert cadence(*LR, *QUICK, "--run_dir", "run") == 0
    files("run", "lr_range_test")
    answer, shown = found("run", "lr_range_test"), capsys.readouterr()
    assert 1e-4 < answer["bounds"][0] < answer["lr"] < answer["bounds"][1] < 10
    assert answer["settings"]["steps"] == 60 and answer["seeds"] == 1 and answer["refusal"] is None
    assert f"lr {answer['lr']:.3g}, bounds {answer['bounds'][0]:.3g}" in shown.err
    assert "suggested" in shown.out and "run directory: run" in shown.out


def test_the_bar_is_the_test_s_alone(cadence, capsys) -> None:
    assert cadence(*LR, *QUICK, "--run_dir", "run", "--trainer.enable_progress_bar", "true") == 0
    told = "\n".join(capsys.readouterr()).splitlines()  # in a file, progress is plain lines
    bars = {line.partition(":")[0].strip() for line in told if "|" in line or re.search(r": [\d,]+ of [\d,]+", line)}
    assert bars == {"LR range test"}


def test_batch_sizes(cadence, capsys) -> None:
    assert cadence(*SIZES, *THREE, "--run_dir", "run") == 0
    files("run", "batch_size_range_test")
    answer, shown = found("run", "batch_size_range_test"), capsys.readouterr()
    assert set(answer["bounds"]) <= {8, 32, 128} and answer["bounds"][0] < answer["bounds"][1]
    assert [row["size"] for row in table("run", "batch_size_range_test")] == ["8", "32", "128"]
    assert answer["lr"] == 0.3 and answer["refusal"] is None
    assert f"batch sizes from {answer['bounds'][0]} to {answer['bounds'][1]}" in shown.err


@pytest.mark.parametrize(
    ("arguments", "name", "reason"),
    [
        ([*LR, *FLAT], "lr_range_test", "flat"),
        ([*SIZES, *THREE, "--range_test.lr", "1e-9"], "batch_size_range_test", "raise the learning rate"),
        ([*SIZES, *THREE, "--range_test.sizes", "[16,64,5000]"], "batch_size_range_test", "only 2 of 3 sizes"),
    ],
)
def test_a_refusal_is_status_1(cadence, arguments: list[str], name: str, reason: str, capsys) -> None:
    assert cadence(*arguments, "--run_dir", "run") == 1
    files("run", name)
    answer = found("run", name)
    assert answer["bounds"] is None and reason in answer["refusal"]
    assert f"no suggestion, {answer['refusal']}" in capsys.readouterr().err


POLICIES = [
    {"class_path": "LRRangeTest", "init_args": {"steps": 30, "seeds": 1, "at_step": 5}},
    {"class_path": "CyclicalLR", "init_args": {"bounds": "auto", "half_cycle": 1}},
    {"class_path": "BatchSizeRangeTest", "init_args": {"sizes": [8, 16, 32], "steps": 3}},
    {"class_path": "CyclicalBatchSize", "init_args": {"bounds": "auto", "half_cycle": 1}},
    {"class_path": "TimeToTarget"},
]
COPIES = {"class_path": "BatchAugmentedCutout", "init_args": {"copies": 2, "size": 3}}


def configuration(name: str, callbacks: list[dict]) -> list[str]:
    Path(f"{name}.yaml").write_text(yaml.safe_dump({"trainer": {"callbacks": callbacks}}))
    return ["-c", f"{name}.yaml"]


def test_policies_of_the_configuration_do_not_apply_and_those_of_the_data_do(cadence) -> None:
    for name, callbacks in (("plain", []), ("policies", POLICIES[1:]), ("copies", [*POLICIES[1:], COPIES])):
        assert cadence(*LR, *configuration(name, callbacks), *QUICK, "--run_dir", name) == 0
    files("policies", "lr_range_test")
    assert table("plain") == table("policies") != table("copies")


def test_sizes_are_the_test_s_and_not_the_configuration_s(cadence) -> None:
    for name, callbacks in (("plain", []), ("policies", [POLICIES[0], POLICIES[1], POLICIES[3]])):
        cadence(*SIZES, *configuration(name, callbacks), *THREE, "--run_dir", name)
        files(name, "batch_size_range_test")
    assert table("plain", "batch_size_range_test") == table("policies", "batch_size_range_test")


def test_the_configuration_s_own_test_stands_unless_another_is_asked_for(cadence) -> None:
    own = configuration("own", [{"class_path": "LRRangeTest", "init_args": {"steps": 25, "seeds": 1, "lower": 1e-3}}])
    cadence(*LR, *own, "--run_dir", "own")
    cadence(*LR, *own, *QUICK, "--run_dir", "asked")
    assert found("own", "lr_range_test")["settings"]["steps"] == 25
    assert found("asked", "lr_range_test")["settings"]["steps"] == 60


def test_the_run_directory_is_named_after_the_command(cadence, tmp_path: Path) -> None:
    assert cadence(*LR, *FLAT) == 1
    assert [path.name.partition("-2")[0] for path in (tmp_path / "runs").iterdir()] == ["MLP-lr-range-test"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["lr-range-tst"], ["lr-range-tst", "cadence lr-range-test"]),
        (["lr-range-test", *RUN[2:4]], ["model"]),
        (["lr-range-test", *RUN[:6], *RUN[-4:]], ["optimizer is missing", "--optimizer Adam"]),
        ([*LR, "--range_test.lower", "0"], ["lower must lie between 0 and upper", "try 1e-7"]),
        ([*LR, "--range_test.lower", "2", "--range_test.upper", "1"], ["lower must lie between 0 and upper"]),
        ([*LR, "--range_test.steps", "5"], ["range_test.steps must lie in [20", "got 5"]),
        ([*LR, "--range_test.steps", "x"], ["range_test.steps", "whole number", "'x'"]),
        ([*LR, "--range_test.stepps", "30"], ["nearest: range_test.steps", "`cadence lr-range-test --help`"]),
        ([*LR, "--range_test.sweep", "cubic"], ["range_test.sweep", "exponential, linear", "'cubic'"]),
        ([*LR, "--range_test.seeds", "0"], ["range_test.seeds must lie in [1"]),
        ([*LR, "--range_test.candidate_steps", "3"], ["candidate_steps needs candidates"]),
        ([*LR, "--range_test.at_step", "3"], ["range_test.at_step", "no such option"]),
        (["lr-range-test", "--resume", "run"], ["run does not exist", "printed at its end"]),
        (["lr-range-test", "--resume", "full"], ["full has no config.yaml"]),
        ([*LR, "--run_dir", "full"], ["run_dir full", "not empty", "name another"]),
        ([*SIZES, "--range_test.sizes", "[16,64]"], ["sizes must hold at least 3", "[16, 64]"]),
        ([*SIZES, "--range_test.sizes", "[64,16,8]"], ["sizes must be positive and increase", "sort them"]),
        ([*SIZES, "--range_test.sizes", "16"], ["range_test.sizes", "a list", "'16'"]),
        ([*SIZES, "--range_test.lr", "-1"], ["range_test.lr must be a number", "got -1"]),
        ([*SIZES, "--range_test.lower", "1"], ["range_test.lower", "no such option"]),
        ([*SIZES, "-c", "digits_dmo"], ["nearest: digits_demo"]),
    ],
)  # fmt: skip
def test_mistakes(cadence, tmp_path: Path, arguments: list[str], expected: list[str], capsys) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("precious\n")
    assert cadence(*arguments) == 2
    told = capsys.readouterr().err
    assert 1 <= len(told.strip().splitlines()) <= 3, told
    assert [part for part in expected if part not in told] == [], told
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")] == ["full", "full/thesis.tex"]


# A signal during the test

TESTS = {
    "LRRangeTest": ("lr-range-test", ["steps", "80"]),
    "BatchSizeRangeTest": ("batch-size-range-test", ["sizes", "[8,32,128]", "steps", "60"]),
}
both_signals = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
both_tests = pytest.mark.parametrize("test", TESTS)


@pytest.fixture
def signalled(monkeypatch: pytest.MonkeyPatch, number: signal.Signals) -> list[int]:
    """Raise the signal once the range test has done its first steps; the numbers of steps counted by then."""
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
    assert cadence("fit", *RUN, *given, "--run_dir", "run") == 130
    assert len(signalled) == 1 and handlers() == before
    assert f"Stopped after step 0. Go on with: cadence fit --resume {tmp_path / 'run'}\n" in capsys.readouterr().out
    assert not list((tmp_path / "run").glob("*_range_test.*"))


@both_signals
@both_tests
def test_of_a_run_that_has_a_checkpoint(cadence, test: str, signalled: list[int], tmp_path: Path, capsys) -> None:
    """The test takes place in the second epoch, after the first one's checkpoint."""
    given = ["--trainer.max_epochs", "2", f"--trainer.callbacks+={test}", *settings(test, "trainer.callbacks")]
    later = ["--trainer.callbacks.at_step", "20"]
    assert cadence("fit", *RUN, *given, *later, "--run_dir", "run") == 130
    assert f"Go on with: cadence fit --resume {tmp_path / 'run'}" in capsys.readouterr().out


@both_signals
@both_tests
def test_alone(cadence, test: str, signalled: list[int], capsys) -> None:
    before = handlers()
    assert cadence(TESTS[test][0], *RUN, *settings(test, "range_test"), "--run_dir", "run") == 130
    assert len(signalled) == 1 and handlers() == before
    assert "Stopped before the end of the test" in capsys.readouterr().out
