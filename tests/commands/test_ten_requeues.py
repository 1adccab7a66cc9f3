"""A job that is queued again ten times, two starts of it killed: one record, one run at W&B, one of TensorBoard."""

import json
import os
import signal
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from records.generation import FILE
from tests.beside import installed, python
from tests.commands.going_on import assert_same_training, contents, result
from tests.commands.test_signals import At
from tests.commands.test_tensorboard import READ, shown_on
from tests.commands.test_wandb import offline_rows
from tests.forked import Done, forked
from tests.wandb_server import KEY, wandb_server

RUN = [
    "fit", "--model", "MLP", "--model.hidden_sizes", "[8]", "--model.dropout_hidden", "0.3", "--data", "Digits",
    "--data.batch_size", "84", "--optimizer", "Adam", "--optimizer.lr", "0.01", "--trainer.max_epochs", "4",
    "--trainer.log_every_n_steps", "1", "--trainer.enable_progress_bar", "false", "--checkpoint_every", "3",
]  # fmt: skip
STEPS = 48
# Where each start ends: 12 and 36 are a pass's last steps, and at 12 the validation has not come yet.
STOPPED = {3: "stop", 8: "stop", 12: "stop", 17: "kill", 20: "stop", 26: "kill", 29: "stop", 36: "stop", 38: "stop"}
ENDS = [*STOPPED.items(), (43, "stop"), (STEPS, "end")]
AT = {"kill": signal.SIGKILL, "stop": signal.SIGUSR1}


def started(restart: int, folder: Path, step: int, how: str, more: list[str], env: dict[str, str]) -> Done:
    """A start of job 17, which a signal ends within a step, or which ends by itself."""

    def prepare() -> None:
        import cli
        from commands.configuration.cadence_cli import CadenceCLI

        if how != "end":
            at = At("on_train_batch_end", lambda: os.kill(os.getpid(), AT[how]), step)
            build = CadenceCLI.build_trainer
            CadenceCLI.build_trainer = lambda self, extra, **kw: build(self, [at, *extra], **kw)  # type: ignore[method-assign]
        main = cli.main
        cli.main = lambda words: ended(main(words))

    def ended(status: int) -> int:
        import wandb

        wandb.teardown()  # a process does so at its exit, and this child has none
        return status

    job = {"SLURM_JOB_ID": "17", **({"SLURM_RESTART_COUNT": str(restart)} if restart else {})}
    return forked(*RUN, *more, "--run_dir", "run", cwd=folder, env=env | job, limit=60, first=prepare)


@pytest.fixture
def requeued(cadence, job, tmp_path: Path) -> Callable[..., Path]:
    """A run that ended in its eleventh start, with the record of the unbroken one."""
    import wandb

    def run(*more: str, **env: str) -> Path:
        wandb.teardown()
        for restart, (step, how) in enumerate(ENDS):
            done = started(restart, tmp_path, step, how, list(more), env)
            assert done.status == {"kill": -signal.SIGKILL, "stop": 130, "end": 0}[how], done.err
        os.environ.pop("SLURM_JOB_ID")
        assert cadence(*RUN, "--run_dir", "unbroken") == 0
        return tmp_path / "run"

    return run


def assert_one_record(run: Path) -> None:
    unbroken = run.with_name("unbroken")
    assert_same_training(run, unbroken)
    mine, theirs = result(run), result(unbroken)
    assert mine["metrics"] == theirs["metrics"] and mine["steps"] == STEPS
    files = {name for name in contents(run) if not name.startswith(("wandb", "tensorboard"))}
    assert files == {*contents(unbroken), FILE}
    starts = [0, 3, 8, 12, 15, 20, 24, 29, 36, 38, 43, STEPS]  # of a killed one the last checkpoint, every third step
    assert [(part["from"], part["to"]) for part in mine["segments"]] == [*pairwise(starts)]
    assert [part["job"] for part in mine["segments"]] == [{"id": "17", "restart": number} for number in range(11)]
    assert "job" not in theirs["segments"][0]


def assert_one_chart(rows: list[dict[str, Any]], run: Path) -> None:
    """All rows of metrics.csv, in order, each once, and in one."""
    lines = [line.split(",") for line in (run / "metrics.csv").read_text().splitlines()]
    assert [row["_step"] for row in rows] == [row["step"] for row in rows] == [*range(1, STEPS + 1)]
    for line in lines[1:]:
        row = rows[int(line[0]) - 1]
        told = {name: value for name, value in zip(lines[0], line, strict=True) if "/" in name and value}
        assert {name: row.get(name) for name in told} == {name: float(value) for name, value in told.items()}
        assert row["samples_seen"] == int(line[2]) and row["epoch"] == float(line[1])
    assert rows[-1]["test/accuracy"] == result(run)["metrics"]["test/accuracy"]


@pytest.mark.slow
def test_one_record_and_one_run_of_wandb_offline(requeued: Callable[..., Path]) -> None:
    run = requeued("-c", "loggers/wandb.yaml")
    assert_one_record(run)
    assert len({path.name for path in run.glob("wandb/offline-run-*/run-*.wandb")}) == 1
    assert_one_chart(offline_rows(run)[0], run)


@pytest.mark.slow
def test_one_run_of_wandb_online(requeued: Callable[..., Path]) -> None:
    with wandb_server() as server:
        run = requeued("-c", "loggers/wandb.yaml", WANDB_MODE="online", WANDB_BASE_URL=server.url, WANDB_API_KEY=KEY)
        assert_one_record(run)
        (name,) = server.runs
        assert name == json.loads((run / "environment.json").read_text())["run"]
        assert_one_chart(server.runs[name].rows, run)
        assert server.runs[name].summary["result"]["steps"] == STEPS and server.runs[name].exit_code == 0


@pytest.mark.slow
@pytest.mark.pip
def test_one_folder_for_tensorboard(requeued: Callable[..., Path], tmp_path: Path, monkeypatch) -> None:
    packages = installed(tmp_path / "packages", "tensorboardX==2.6.5")
    monkeypatch.syspath_prepend(packages)
    run = requeued("-c", "loggers/tensorboard.yaml")
    assert_one_record(run)
    assert [path.name for path in run.glob("tensorboard*")] == ["tensorboard"]
    events = [json.loads(line) for line in python(packages, tmp_path, "-c", READ, "run/tensorboard").splitlines()]
    shown = shown_on("step", events)
    for line in (run / "metrics.csv").read_text().splitlines()[1:]:
        step, loss = int(line.split(",")[0]), float(line.split(",")[4])
        assert shown["train/loss", step] == pytest.approx(loss, rel=1e-6)
    assert {step for tag, step in shown if tag == "train/loss"} == {*range(1, STEPS + 1)}
