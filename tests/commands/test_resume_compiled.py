"""A compiled run goes on plain, and a plain one compiled; both are tested as they are."""

from pathlib import Path

import pytest
import torch

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
