"""A run at W&B, on a loopback server that keeps what it gets: one chart over resumes, its axes, what is told of it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands.test_wandb import FIT, WANDB, metrics_rows
from tests.wandb_server import KEY, WandbServer, wandb_server


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[WandbServer]:
    import wandb

    wandb.teardown()
    with wandb_server() as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        monkeypatch.setenv("WANDB_MODE", "online")
        yield server
        wandb.teardown()


def run_id(run: Path) -> str:
    return json.loads((run / "environment.json").read_text())["run"]


def test_a_resumed_run_goes_on_in_its_chart(cadence, tmp_path: Path, server: WandbServer) -> None:
    run = tmp_path / "run"
    assert cadence(*FIT, *WANDB, "--trainer.max_steps", "12", "--run_dir", run) == 0
    assert cadence("fit", "--resume", run, "--trainer.max_steps", "32", "--trainer.max_epochs", "2") == 0
    assert list(server.runs) == [run_id(run)]
    rows = server.runs[run_id(run)].rows
    steps = [row["_step"] for row in rows]
    assert steps == sorted(set(steps)) and {5, 10, 12, 15, 17, 32} <= set(steps)
    logged = {(row["step"], name): value for row in rows for name, value in row.items()}
    for row in metrics_rows(run):
        step = int(row["step"])
        assert logged[step, "samples_seen"] == int(row["samples"])
        assert logged[step, "epoch"] == float(row["epoch"])
        assert all(logged[step, name] == float(value) for name, value in row.items() if "/" in name and value)


def test_what_a_run_is_and_what_came_out(cadence, tmp_path: Path, server: WandbServer) -> None:
    run = tmp_path / "run"
    options = ["--trainer.max_epochs", "3", "--trainer.logger.log_best", "true"]
    assert cadence(*FIT, *WANDB, *options, "--run_dir", run) == 0
    kept, result = server.runs[run_id(run)], json.loads((run / "result.json").read_text())
    config, summary = {name: item["value"] for name, item in kept.config.items()}, kept.summary
    assert config["model"]["init_args"]["hidden_sizes"] == [8] and config["seed_everything"] == 1
    assert config["run"]["id"] == run_id(run) and config["run"]["parameters"] == result["parameters"]
    assert config["run"]["commit"] == result["commit"] and config["run"]["versions"]["torch"]
    defined = {
        item.get("1") or item["2"]: item for item in config["_wandb"]["m"]
    }  # fields of W&B's protocol, by number
    assert {"step", "samples_seen", "epoch"} <= set(defined)
    assert defined["*"]["5"] == 1 + list(defined).index("step")  # the usual axis, by its place in the list
    accuracies = [float(row["val/accuracy"]) for row in metrics_rows(run) if row["val/accuracy"]]
    losses = [float(row["val/loss"]) for row in metrics_rows(run) if row["val/loss"]]
    assert summary["val/accuracy"] == accuracies[-1] and summary["best/val/accuracy"] == max(accuracies)
    assert summary["val/loss"] == losses[-1] and summary["best/val/loss"] == min(losses)
    assert summary["test/accuracy"] == result["metrics"]["test/accuracy"]
    assert summary["result"]["metrics"] == result["metrics"] and summary["result"]["steps"] == 51
    assert list(server.artifacts) == [f"best-{run_id(run)}"]
    assert server.files["artifact/best.ckpt"] == (run / "checkpoints" / "best.ckpt").stat().st_size
    assert kept.exit_code == 0 and result["seconds"]["logging"] > 0


def test_the_best_so_far_outlives_a_resume(cadence, tmp_path: Path, server: WandbServer) -> None:
    """A rate of zero changes nothing: whatever comes after the resume is no better."""
    run = tmp_path / "run"
    assert cadence(*FIT, *WANDB, "--trainer.max_epochs", "2", "--run_dir", run) == 0
    best = server.runs[run_id(run)].summary["best/val/loss"]
    rows = (run / "metrics.csv").read_text()
    assert cadence("fit", "--resume", run, "--trainer.max_epochs", "3") == 0
    assert (run / "metrics.csv").read_text().startswith(rows.splitlines()[0])
    losses = [float(row["val/loss"]) for row in metrics_rows(run) if row["val/loss"]]
    assert server.runs[run_id(run)].summary["best/val/loss"] == min(losses) <= best


def test_figures_and_tables_of_a_range_test(cadence, tmp_path: Path, server: WandbServer) -> None:
    run = tmp_path / "run"
    assert cadence("lr-range-test", *FIT[1:], "--range_test.steps", "20", *WANDB, "--run_dir", run) in (0, 1)
    row = next(row for row in server.runs[run_id(run)].rows if "lr_range_test" in row)
    assert row["lr_range_test"]["_type"] == "image-file" and row["lr_range_test_table"]["_type"] == "table-file"
    assert row["_step"] == 0 and row["step"] == 0


def test_a_later_test_is_in_the_summary_and_takes_no_step_back(cadence, tmp_path: Path, server: WandbServer) -> None:
    run = tmp_path / "run"
    assert cadence(*FIT, *WANDB, "--test_after_fit", "false", "--run_dir", run) == 0
    kept = server.runs[run_id(run)]
    before = list(kept.rows)
    assert "test/accuracy" not in kept.summary
    assert cadence("test", "--run_dir", run) == 0
    told = json.loads((run / "test.json").read_text())["metrics"]
    assert kept.rows == before and kept.summary["test/accuracy"] == told["test/accuracy"]
    assert list(server.runs) == [run_id(run)]


def test_group_and_job_type_come_from_w_and_bs_own_variables(cadence, tmp_path, server, monkeypatch) -> None:
    monkeypatch.setenv("WANDB_RUN_GROUP", "a study")
    monkeypatch.setenv("WANDB_JOB_TYPE", "its part")
    assert cadence(*FIT, *WANDB, "--run_dir", tmp_path / "run") == 0
    told = server.runs[run_id(tmp_path / "run")].told
    assert (told["groupName"], told["jobType"]) == ("a study", "its part")


@pytest.mark.parametrize(("words", "online"), [([], True), (["--trainer.logger.mode", "offline"], False)])
def test_a_sweeps_run_is_online(cadence, tmp_path: Path, server: WandbServer, monkeypatch, words, online: bool) -> None:
    monkeypatch.delenv("WANDB_MODE")
    monkeypatch.setenv("WANDB_SWEEP_ID", "s")
    monkeypatch.setenv("WANDB_RUN_ID", "trial1")
    assert cadence(*FIT, *WANDB, *words, "--run_dir", tmp_path / "run") == 0
    assert list(server.runs) == (["trial1"] if online else [])
    assert (tmp_path / "run" / "wandb" / "run-id").read_text() == "trial1\n"


def test_disabled_leaves_nothing(cadence, tmp_path: Path, server: WandbServer) -> None:
    assert cadence(*FIT, *WANDB, "--trainer.logger.mode", "disabled", "--run_dir", tmp_path / "run") == 0
    assert not server.runs and not (tmp_path / "run" / "wandb").exists()
