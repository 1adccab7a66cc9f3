"""What `fit` and `test` leave behind."""

import csv
import json
from pathlib import Path

import pytest

from records import environment

RUN = [
    "fit", "--model", "SmallCNN", "--data", "Digits", "--optimizer", "Adam", "--optimizer.lr", "0.01",
    "--trainer.max_epochs", "2", "--trainer.log_every_n_steps", "5",
]  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from cli import main

    run = tmp_path_factory.mktemp("finished") / "run"
    assert main([*RUN, "--run_dir", str(run)]) == 0
    return run


def result(run: Path, name: str = "result.json") -> dict:
    return json.loads((run / name).read_text())


def test_the_record_is_whole(finished: Path) -> None:
    assert {path.name for path in finished.iterdir()} == {
        "config.yaml", "metrics.csv", "checkpoints", "result.json", "environment.json",
    }  # fmt: skip
    assert {path.name for path in (finished / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
    record = result(finished)
    assert record["parameters"] == 160 + 580 + 170 and record["steps"] == 32 and record["seed"] == 1
    assert {f"{split}/{name}" for split in ("test", "val") for name in ("loss", "accuracy", "error")} <= set(
        record["metrics"]
    )
    assert all(record["seconds"][part] > 0 for part in ("setup", "training", "evaluation"))
    assert record["versions"]["torch"] and record["device"]["type"] == "cpu" and record["validation"] == "split"
    environment = result(finished, "environment.json")
    assert {"cpu", "cores", "packages", "torch_threads"} <= set(environment) and environment["denormals_flushed"]


def test_metrics_are_keyed_by_finished_steps(finished: Path) -> None:
    with (finished / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == [5, 10, 15, 16, 20, 25, 30, 32]
    assert [int(row["samples"]) for row in rows][:4] == [320, 640, 960, 998]
    assert [bool(row["val/accuracy"]) for row in rows] == [False] * 3 + [True] + [False] * 3 + [True]
    assert float(rows[-1]["epoch"]) == 2.0
    seconds = [float(row["seconds"]) for row in rows]
    assert seconds == sorted(seconds) and seconds[0] > 0


def test_test_gives_the_number_that_fit_gave(cadence, finished: Path) -> None:
    assert cadence("test", "--run_dir", finished) == 0
    fitted, tested = result(finished)["metrics"], result(finished, "test.json")["metrics"]
    assert tested == {name: value for name, value in fitted.items() if name.startswith("test/")}
    for name in ("test.json", "test-config.yaml"):
        (finished / name).unlink()


def test_the_resolved_configuration_gives_the_same_run(cadence, finished: Path, tmp_path: Path) -> None:
    assert cadence("fit", "-c", finished / "config.yaml", "--run_dir", tmp_path / "again") == 0
    assert result(tmp_path / "again")["metrics"] == result(finished)["metrics"]


def test_resuming_a_finished_run_changes_nothing(cadence, finished: Path) -> None:
    before, rows = result(finished), (finished / "metrics.csv").read_text()
    assert cadence("fit", "--resume", finished) == 0
    assert result(finished)["metrics"] == before["metrics"]
    assert (finished / "metrics.csv").read_text() == rows


def test_validation_on_the_test_set_is_on_record(cadence, tmp_path: Path) -> None:
    assert cadence(*RUN, "--data.val", "test", "--trainer.max_steps", "3", "--run_dir", tmp_path / "run") == 0
    assert result(tmp_path / "run")["validation"] == "test"


def test_without_checkpoints(cadence, tmp_path: Path) -> None:
    options = ["--trainer.enable_checkpointing", "false", "--trainer.max_steps", "3"]
    assert cadence(*RUN, *options, "--run_dir", tmp_path / "run") == 0
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_fast_dev_run(cadence, tmp_path: Path) -> None:
    assert cadence(*RUN, "--trainer.fast_dev_run", "true", "--run_dir", tmp_path / "run") == 0


@pytest.mark.parametrize("precision", ["bf16-mixed", "64-true"])
def test_precisions(cadence, tmp_path: Path, precision: str) -> None:
    options = ["--trainer.precision", precision, "--trainer.max_steps", "3"]
    assert cadence(*RUN, *options, "--run_dir", tmp_path / "run") == 0
    assert result(tmp_path / "run")["metrics"]["test/loss"] < 3


@pytest.mark.parametrize(
    ("features", "precision", "told"),
    [
        ({"avx2"}, "bf16-mixed", True),
        ({"avx2", "avx512_bf16"}, "bf16-mixed", False),
        ({"avx2"}, "32-true", False),
        (set(), "bf16-mixed", False),
    ],
)
def test_a_cpu_without_bfloat16_says_that_it_is_slow(
    cadence, monkeypatch: pytest.MonkeyPatch, capsys, features: set[str], precision: str, told: bool
) -> None:
    monkeypatch.setattr(environment, "cpu_features", lambda: features)
    assert cadence(*RUN, "--trainer.precision", precision, "--trainer.max_steps", "1", "--run_dir", "run") == 0
    assert ("this CPU has no instructions for bfloat16" in capsys.readouterr().err) == told


@pytest.mark.real_data
def test_small_cnn_on_mnist(cadence, tmp_path: Path) -> None:
    """About 97 % of the test images, as published; twice the same to the bit, and again from the checkpoint."""
    for name in ("one", "two"):
        assert cadence("fit", "-c", "small_cnn_mnist", "--run_dir", tmp_path / name) == 0
    one, two = result(tmp_path / "one")["metrics"], result(tmp_path / "two")["metrics"]
    assert one == two and one["test/accuracy"] >= 0.96
    assert cadence("test", "--run_dir", tmp_path / "one") == 0
    assert result(tmp_path / "one", "test.json")["metrics"]["test/accuracy"] == one["test/accuracy"]
