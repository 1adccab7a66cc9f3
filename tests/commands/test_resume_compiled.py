"""A compiled run goes on plain, and a plain one compiled; both are tested as they are, and run on two processes."""

import shutil
from pathlib import Path

import pytest
import torch

from tests.commands.test_processes import run
from tests.commands.test_resume import weights

RUN = (
    "fit", "--model", "MLP", "--model.hidden_sizes", "[16]", "--data", "Digits", "--optimizer", "SGD",
    "--optimizer.lr", "0.05", "--trainer.max_epochs", "2", "--trainer.enable_progress_bar", "false",
)  # fmt: skip


@pytest.mark.parametrize(("first", "then"), [("true", "null"), ("null", "true"), ("false", "default")])
def test_a_compiled_run_goes_on_plain_and_a_plain_one_compiled(
    cadence, stop, tmp_path: Path, graphs, first: str, then: str
) -> None:
    stop(5)
    assert cadence(*RUN, "--model.compile", first, "--run_dir", "run") == 130
    stop(0)
    assert bool(graphs()) == (first == "true")
    assert cadence("fit", "--resume", "run", "--model.compile", then) == 0
    assert bool(graphs()) == (then != "null")
    assert cadence("test", "--run_dir", "run") == 0
    assert cadence(*RUN, "--run_dir", "whole") == 0
    mine, theirs = weights(Path("run")), weights(Path("whole"))
    assert list(mine) == list(theirs) and all(torch.equal(mine[name], theirs[name]) for name in mine)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch compiles by g++")
def test_two_processes_compile_the_network_and_not_the_step_around_it(tmp_path: Path) -> None:
    two = (
        "--trainer.devices",
        "2",
        "--trainer.strategy",
        "ddp",
        "--trainer.max_steps",
        "12",
        "--model.compile",
        "true",
    )
    cycle = (
        "--trainer.callbacks+=CyclicalBatchSize", "--trainer.callbacks.lower", "16", "--trainer.callbacks.upper", "64",
        "--trainer.callbacks.half_cycle", "1",
    )  # fmt: skip
    for name, more in (("one", ()), ("two", two)):
        done = run(*two[4:6], *more, *cycle, "--run_dir", tmp_path / name, cwd=tmp_path)
        assert done.returncode == 0, done.stderr[-2000:]
    mine, theirs = weights(tmp_path / "two"), weights(tmp_path / "one")
    assert list(mine) == list(theirs)
    for name, weight in theirs.items():
        torch.testing.assert_close(mine[name], weight, rtol=1e-4, atol=1e-5)
