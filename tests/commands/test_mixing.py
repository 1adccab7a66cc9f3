"""MixUp and CutMix in runs: beside every policy, resumed, on two processes, and within the range tests."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

HOUSE = Path(__file__).resolve().parents[2]
MIXING = (
    "--data.augment+=RandomCrop", "--data.augment.padding", "1",
    "--data.augment+=MixUp", "--data.augment.alpha", "0.4",
    "--data.augment+=CutMix", "--data.augment.p", "0.5",
)  # fmt: skip
POLICIES = (
    "--trainer.callbacks+=CyclicalBatchSize", "--trainer.callbacks.lower", "16", "--trainer.callbacks.upper", "64",
    "--trainer.callbacks.half_cycle", "0.4", "--trainer.callbacks.mode", "triangular",
    "--trainer.callbacks+=BatchAugmentedCutout", "--trainer.callbacks.copies", "2", "--trainer.callbacks.size", "3",
)  # fmt: skip
RANGE_TESTS = (
    "--trainer.callbacks+=LRRangeTest", "--trainer.callbacks.steps", "20", "--trainer.callbacks.seeds", "1",
    "--trainer.callbacks.at_step", "3", "--trainer.callbacks+=BatchSizeRangeTest", "--trainer.callbacks.steps", "3",
    "--trainer.callbacks.sizes", "[16,32,64]", "--trainer.callbacks.noise_scale", "false",
)  # fmt: skip
COMMON = (
    "fit", "--model", "MLP", "--model.hidden_sizes", "[16]", "--model.micro_batch_size", "24",
    "--model.label_smoothing", "0.1", "--data", "Digits", "--data.batch_size", "61", "--optimizer", "SGD",
    "--optimizer.lr", "0.05", "--trainer.precision", "64-true", "--trainer.max_steps", "45",
    "--trainer.log_every_n_steps", "1", "--trainer.enable_progress_bar", "false", "--trainer.accelerator", "cpu",
    "--test_after_fit", "false",
)  # fmt: skip
TWO = ("--trainer.devices", "2", "--trainer.strategy", "ddp")


def in_a_process(*arguments: object) -> None:
    done = subprocess.run(
        [sys.executable, str(HOUSE / "cli.py"), *map(str, arguments)], capture_output=True, text=True, timeout=300,
        env=os.environ | {"OMP_NUM_THREADS": "1", "MASTER_ADDR": "127.0.0.1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return [{name: value for name, value in row.items() if "seconds" not in name} for row in csv.DictReader(file)]


def weights(run: Path) -> dict[str, torch.Tensor]:
    return torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


def assert_same_run(run: Path, whole: Path) -> None:
    assert rows(run / "metrics.csv") == rows(whole / "metrics.csv")
    assert all(torch.equal(value, weights(whole)[name]) for name, value in weights(run).items())


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with all of it, range tests at step 3 too."""
    run = tmp_path_factory.mktemp("one") / "run"
    in_a_process(*COMMON, *MIXING, *POLICIES, *RANGE_TESTS, "--run_dir", run)
    return run


def test_two_processes_train_and_test_as_one(one: Path, tmp_path: Path) -> None:
    """Every loss to 1e-10, of the run and of its range tests; batches of odd sizes and of several chunks."""
    two = tmp_path / "two"
    in_a_process(*COMMON, *MIXING, *POLICIES, *RANGE_TESTS, *TWO, "--run_dir", two)
    mine, theirs = rows(one / "metrics.csv"), rows(two / "metrics.csv")
    assert len(mine) == len(theirs) >= 45
    assert len({row["batch_size"] for row in mine}) > 3
    for column in ("train/loss", "train/accuracy", "val/loss"):
        pairs = [(float(a[column]), float(b[column])) for a, b in zip(mine, theirs, strict=True) if a[column]]
        assert pairs and all(a == pytest.approx(b, abs=1e-10) for a, b in pairs)
    for table, column in (("lr_range_test", "loss"), ("batch_size_range_test", "loss_at_equal_steps")):
        a, b = ([float(row[column]) for row in rows(run / f"{table}.csv")] for run in (one, two))
        assert len(a) > 2 and a == pytest.approx(b, abs=1e-10)


def test_range_tests_leave_no_trace_and_mix_as_the_run_does(one: Path, tmp_path: Path) -> None:
    plain, unmixed = tmp_path / "plain", tmp_path / "unmixed"
    in_a_process(*COMMON, *MIXING, *POLICIES, "--run_dir", plain)
    assert_same_run(one, plain)
    assert (one / "samples.png").stat().st_size > 10_000
    in_a_process(*COMMON, *POLICIES, *RANGE_TESTS, "--run_dir", unmixed)
    losses = [json.loads((run / "lr_range_test.json").read_text())["stopped"] for run in (one, unmixed)]
    assert losses[0] == losses[1] == ["finished"]
    first = [float(rows(run / "lr_range_test.csv")[0]["loss"]) for run in (one, unmixed)]
    assert abs(first[0] - first[1]) > 1e-3


def test_a_resumed_run_and_one_with_the_data_on_the_device_are_the_unbroken_one(
    cadence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from commands.configuration.cadence_cli import CadenceCLI
    from tests.stopping import StopAfter

    words = (*COMMON, "--trainer.precision", "32-true", *MIXING, *POLICIES)
    assert cadence(*words, "--run_dir", tmp_path / "whole") == 0
    build = CadenceCLI.build_trainer
    with monkeypatch.context() as patch:
        patch.setattr(CadenceCLI, "build_trainer", lambda self, extra, **kw: build(self, [StopAfter(17), *extra], **kw))
        assert cadence(*words, "--run_dir", tmp_path / "stopped") == 130
    assert cadence("fit", "--resume", tmp_path / "stopped") == 0
    assert_same_run(tmp_path / "stopped", tmp_path / "whole")
    assert cadence(*words, "--data.device_resident", "true", "--run_dir", tmp_path / "resident") == 0
    assert_same_run(tmp_path / "resident", tmp_path / "whole")


@pytest.mark.parametrize("precision", ["32-true", "bf16-true", "bf16-mixed"])
def test_other_precisions(cadence, tmp_path: Path, precision: str) -> None:
    run = tmp_path / "run"
    assert cadence(*COMMON, *MIXING, "--trainer.precision", precision, "--run_dir", run) == 0
    losses = [float(row["train/loss"]) for row in rows(run / "metrics.csv") if row["train/loss"]]
    assert losses[-1] < losses[0] - 0.05


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--data.augment+=MixUp", "--data.augment.alpha", "0"), "alpha must be above 0 and finite, got 0: 0.2"),
        (("--data.augment+=CutMix", "--data.augment.p", "2"), r"p must lie in [0, 1], got 2: 0.5"),
        (("--data.augment+=CutMixUp",), "nearest: CutMix"),
    ],
)
def test_mistakes_end_in_a_line_or_two(cadence, capsys: pytest.CaptureFixture[str], words, message: str) -> None:
    assert cadence(*COMMON, *words) == 2
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error and len(error.strip().splitlines()) <= 3


def test_the_gradient_check_takes_images_that_are_not_mixed(cadence, tmp_path: Path) -> None:
    words = ("gradient-check", "--model", "MLP", "--data", "Digits", "--weights", "3", "--n", "50,1000,10000")
    for name, augment in (("plain", ()), ("mixed", MIXING)):
        assert cadence(*words, *augment, "--out", tmp_path / name) == 0
    found = [json.loads((tmp_path / name / "gradient_check.json").read_text()) for name in ("plain", "mixed")]
    assert found[0] == found[1]
