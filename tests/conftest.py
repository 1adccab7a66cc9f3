"""What all tests share: the process as the suite needs it, one thread, and a way to run `cadence` in this process."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import starter

Cadence = Callable[..., int]

starter.default_signals()
starter.clean()  # here, before a test file imports torch, Lightning or matplotlib, which read some of it then


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _denormals_kept() -> None:
    """What a command of the test before has set for its process, which here is the suite's."""
    import torch

    torch.set_flush_denormal(False)


@pytest.fixture
def hangs_up() -> Iterator[None]:
    """SIGHUP has its default handler, also where `nohup make test &` has it ignored."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def cadence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cadence:
    """Run `cadence ARGUMENTS` in an empty folder and return its exit status."""
    from cli import main

    monkeypatch.chdir(tmp_path)
    return lambda *arguments: main([str(argument) for argument in arguments])


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], int]]:
    """`model.compile` without a compiler: how many graphs torch has made since the last call; they run as they are."""
    import torch
    from torch._dynamo.utils import counters

    from lightning_modules import ImageClassifier

    def compiled(self: torch.nn.Module, mode: str, dynamic: bool | None) -> None:
        torch.nn.Module.compile(self, backend="eager", dynamic=dynamic)

    def made() -> int:
        count = counters["stats"]["unique_graphs"]
        counters.clear()
        return count

    monkeypatch.setattr(ImageClassifier, "compile", compiled)
    made()
    yield made
    torch.compiler.reset()
