"""What all tests share: one thread, no network for W&B, and a way to run `cadence` in this process."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["WANDB_ERROR_REPORTING"] = "false"
os.environ["WANDB_MODE"] = "offline"
os.environ["TQDM_DISABLE"] = "0"

from collections.abc import Callable
from pathlib import Path

import pytest

Cadence = Callable[..., int]


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


@pytest.fixture
def cadence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cadence:
    """Run `cadence ARGUMENTS` in an empty folder and return its exit status."""
    from cli import main

    monkeypatch.chdir(tmp_path)
    return lambda *arguments: main([str(argument) for argument in arguments])
