"""A stock Trainer on several processes: untouched there too, and the same answer as on one."""

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from tests import ranks
from tests.callbacks.stock import LitNet, fitted, loader
from tests.callbacks.test_stock_trainer import left, quick, same


class Plain(LitNet):
    """No batch statistics, no dropout: several processes do what one does."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU())


def fit_both(processes: int) -> None:
    """In each of the processes: a run without and one with a range test, both left in files."""
    warnings.simplefilter("default")
    ddp: dict[str, Any] = {"devices": processes, "strategy": "ddp"} if processes > 1 else {}
    rank = os.environ.get("RANK", "0")
    for name in ("plain", "tested"):
        tests = [quick(steps=60)] if name == "tested" else []
        run = fitted(Plain, lambda: halves(loader(), processes), *tests, **ddp)
        answer = [loss for test in tests for sweep in test.outcome.sweeps for loss in sweep.losses[:30]]
        torch.save({"left": left(run), "answer": answer}, f"{name}_{processes}_{rank}.pt")
    os._exit(0)


def halves(whole: DataLoader, processes: int) -> DataLoader:
    return DataLoader(whole.dataset, 32 // processes, shuffle=True)


@pytest.mark.parametrize("processes", [2])
def test_several_processes(tmp_path: Path, processes: int) -> None:
    for number in (1, processes):
        done = ranks.start("fit", cwd=tmp_path, processes=number, first=lambda number=number: fit_both(number))
        for child in done:
            ended = child.done()
            assert ended.status == 0, ended.err
    found = {path.stem: torch.load(path, weights_only=False) for path in tmp_path.glob("*.pt")}
    for rank in range(processes):
        plain, tested = (found[f"{name}_{processes}_{rank}"] for name in ("plain", "tested"))
        for name, value in plain["left"].items():
            assert same(tested["left"][name], value), name
        assert tested["answer"] == found[f"tested_{processes}_0"]["answer"], "all processes know the same"
    assert np.allclose(found[f"tested_{processes}_0"]["answer"], found["tested_1_0"]["answer"], atol=1e-4)


def fit_held_out(processes: int) -> None:
    """A range test by held-out loss, whose losses are left in a file."""
    warnings.simplefilter("default")
    ddp: dict[str, Any] = {"devices": processes, "strategy": "ddp"} if processes > 1 else {}
    test = quick(steps=60, on="held_out", held_out_images=64)
    fitted(Plain, lambda: halves(loader(), processes), test, max_epochs=1, **ddp)
    torch.save([sweep.losses[:30] for sweep in test.outcome.sweeps], f"{processes}_{os.environ.get('RANK', '0')}.pt")
    os._exit(0)


def test_two_processes_look_at_the_images_that_one_looks_at(tmp_path: Path) -> None:
    for number in (1, 2):
        for child in ranks.start(
            "fit", cwd=tmp_path, processes=number, first=lambda number=number: fit_held_out(number)
        ):
            ended = child.done()
            assert ended.status == 0, ended.err
    one, first, second = (torch.load(tmp_path / f"{name}.pt", weights_only=False) for name in ("1_0", "2_0", "2_1"))
    assert np.array_equal(first, second) and np.allclose(first, one, atol=1e-4)


class ByRank(Plain):
    """Each process trains a part that the other does not."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.ModuleList([nn.Linear(16, 4) for _ in range(3)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.parts[self.global_rank](self.net(x))


def fit_by_rank() -> None:
    warnings.simplefilter("default")
    test = quick(steps=40)
    fitted(
        ByRank, lambda: halves(loader(), 2), test, devices=2, strategy="ddp_find_unused_parameters_true", max_epochs=1
    )
    assert test.done
    os._exit(0)


def test_parameters_that_one_process_alone_uses(tmp_path: Path) -> None:
    for child in ranks.start("fit", cwd=tmp_path, processes=2, first=fit_by_rank):
        ended = child.done()
        assert ended.status == 0, ended.err
