"""Time to target from the command line: the record of a run, and a resumed run that counts on."""

import csv
import json
from pathlib import Path

import pytest
import torch

from tests.stopping import StopAfter

RUN = [
    "fit", "--model", "MLP", "--model.hidden_sizes", "[32]", "--data", "Digits", "--optimizer", "Adam",
    "--optimizer.lr", "0.01", "--trainer.max_epochs", "4", "--trainer.val_check_interval", "5",
    "--trainer.log_every_n_steps", "7", "--trainer.enable_progress_bar", "false", "--test_after_fit", "false",
    "--trainer.callbacks+=TimeToTarget", "--trainer.callbacks.accuracy",
]  # fmt: skip


def without_seconds(values: dict) -> dict:
    return {name: value for name, value in values.items() if not name.endswith("seconds")}


def result(run: Path, name: str = "time_to_target.json") -> dict:
    return json.loads((run / name).read_text())


def rows(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open() as file:
        return [without_seconds(row) for row in csv.DictReader(file)]


def test_the_record_of_a_run_that_is_stopped_by_it(cadence, tmp_path: Path, capsys) -> None:
    run = tmp_path / "run"
    assert cadence(*RUN, "0.7", "--trainer.callbacks.stop", "true", "--run_dir", run) == 0
    assert "val/accuracy 0.7: reached after" in capsys.readouterr().out
    content, metrics, table = result(run), result(run, "result.json")["metrics"], rows(run)
    reached = next(row for row in table if row["val/accuracy"] and float(row["val/accuracy"]) >= 0.7)
    assert content["reached"] and content["steps"] == int(reached["step"]) == result(run, "result.json")["steps"]
    assert content["samples"] == int(reached["samples"]) and content["seconds"] > 0
    assert content["epochs"] == pytest.approx(float(reached["epoch"]), abs=1e-6)
    assert metrics["time_to_target/steps"] == content["steps"] and metrics["time_to_target/reached"] == 1
    assert metrics["time_to_target/seconds"] == content["seconds"]
    assert cadence("fit", "--resume", run) == 0, "a run at its end stays there"
    assert result(run) == content and result(run, "result.json")["metrics"] == metrics and rows(run) == table


def test_resuming_a_finished_run_changes_nothing(cadence, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert cadence(*RUN, "1", "--run_dir", run) == 0
    content, metrics = result(run), result(run, "result.json")["metrics"]
    assert not content["reached"] and content["steps"] == 64 and metrics["time_to_target/reached"] == 0
    assert cadence("fit", "--resume", run) == 0
    assert result(run) == content and result(run, "result.json")["metrics"] == metrics


@pytest.mark.parametrize("step", [3, 16, 23, 48])
def test_a_resumed_run_counts_on(cadence, tmp_path: Path, monkeypatch, step: int) -> None:
    from commands.configuration.cadence_cli import CadenceCLI

    whole, run, built = tmp_path / "whole", tmp_path / "run", CadenceCLI.build_trainer
    assert cadence(*RUN, "0.7", "--run_dir", whole) == 0
    monkeypatch.setattr(
        CadenceCLI, "build_trainer", lambda self, extra, **kw: built(self, [StopAfter(step), *extra], **kw)
    )
    assert cadence(*RUN, "0.7", "--run_dir", run) == 130
    monkeypatch.undo()
    spent = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["callbacks"]["TimeToTarget"]["seconds"]
    assert cadence("fit", "--resume", run) == 0
    assert without_seconds(result(run)) == without_seconds(result(whole)) and rows(run) == rows(whole)
    final = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["callbacks"]["TimeToTarget"]["seconds"]
    assert final["warm_up"] > spent["warm_up"] and final["training"] > spent["training"]


def test_fast_dev_run(cadence, tmp_path: Path) -> None:
    assert cadence(*RUN, "0.9", "--trainer.fast_dev_run", "true", "--run_dir", tmp_path / "run") == 0
