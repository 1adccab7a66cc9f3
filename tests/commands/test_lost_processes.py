"""One of a run's processes dies, stalls or is stopped: the others end with a line that says why, and it resumes."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from tests.commands.going_on import RUN, result
from tests.commands.test_many_processes import near, table
from tests.ranks import kill, start, together

AT = 18  # of 32 steps; an epoch has 16
WITH = [
    *RUN, "--trainer.precision", "64-true", "--checkpoint_every", "5", "--trainer.strategy.timeout", "0:00:05",
]  # fmt: skip


class Fault(pl.Callback):
    """Brings a process to a fault at a step, if the environment says which process.

    Args:
        kind: name of the fault.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        if os.environ.get("FAULT") == str(trainer.global_rank) and trainer.global_step == AT:
            FAULTS[self.kind]()


def _out_of_memory() -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


def _error() -> None:
    raise ArithmeticError("a mistake of theirs")


FAULTS: dict[str, Callable[[], object]] = {
    "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "terminated": lambda: os.kill(os.getpid(), signal.SIGTERM),
    "stalled": lambda: os.kill(os.getpid(), signal.SIGSTOP),
    "memory": _out_of_memory,
    "error": _error,
}
GONE = "another process of the run has ended, and this one with it: what that one said is the reason"
# what the other process says on standard error or output, and its exit status
SAID = {
    "killed": (1, GONE),
    "memory": (1, GONE),
    "error": (1, GONE),
    "stalled": (1, "another process of the run was silent for longer than the timeout of trainer.strategy"),
    "terminated": (130, ""),
}


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unbroken")
    done = together(*RUN, "--trainer.precision", "64-true", "--run_dir", "run", cwd=folder, processes=1)
    assert done[0].status == 0, done[0].err
    return folder / "run"


@pytest.mark.parametrize(("kind", "rank"), [*((kind, 1) for kind in FAULTS), ("killed", 0), ("stalled", 0)])
def test_a_fault_ends_the_run_with_a_line_and_it_goes_on(unbroken: Path, tmp_path: Path, kind: str, rank: int) -> None:
    """The other process ends by itself: the wait for it, which has a limit, is the test."""
    fault = ["--trainer.callbacks+=tests.commands.test_lost_processes.Fault", "--trainer.callbacks.kind", kind]
    children = start(*WITH, *fault, "--run_dir", "run", cwd=tmp_path, processes=2, env={"FAULT": str(rank)})
    other = children[1 - rank].done()
    kill([children[rank]] if kind == "stalled" else [])
    there = children[rank].done()
    status, words = SAID[kind]
    assert other.status == status and words in other.err and "Traceback" not in other.err, other.err
    if kind == "memory":
        assert there.status == 2 and "data.batch_size: there is not enough memory" in there.err
    if kind == "error":
        assert "in _error" in there.err and "ArithmeticError: a mistake of theirs" in there.err
    if kind == "terminated":
        assert there.status == 130 and "Stopped after step 20. Go on with: cadence fit --resume" in other.out
    again = together("fit", "--resume", "run", cwd=tmp_path, processes=2)
    assert [one.status for one in again] == [0, 0], again[0].err
    mine, theirs = table(tmp_path / "run" / "metrics.csv"), table(unbroken / "metrics.csv")
    for one, two in zip(mine, theirs, strict=True):
        assert all(value == two[key] or near(value, two[key]) for key, value in one.items())
    assert result(tmp_path / "run")["segments"][-1]["to"] == 32
