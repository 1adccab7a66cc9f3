"""What a run has left behind, and how to compare it."""

import csv
import json
from pathlib import Path

import pytorch_lightning as pl
import torch


def rows(run: Path) -> list[dict[str, str]]:
    """Rows of metrics.csv, without their seconds."""
    with (run / "metrics.csv").open() as file:
        return [{name: value for name, value in row.items() if name != "seconds"} for row in csv.DictReader(file)]


def checkpoint(run: Path) -> dict:
    """The last checkpoint."""
    return torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)


def assert_same(one: object, other: object) -> None:
    """Compare nested dicts, lists and tensors to the bit."""
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other)
        for mine, its in zip(one, other, strict=True):
            assert_same(mine, its)
    else:
        assert one == other


def assert_untouched(tested: Path, plain: Path) -> None:
    """Weights, buffers, the optimizer's state, metrics and half-filled sums are the same to the bit."""
    assert rows(tested) == rows(plain)
    one, other = checkpoint(tested), checkpoint(plain)
    for part in ("state_dict", "optimizer_states", "loops", "metrics", "global_step", "epoch"):
        assert_same(one[part], other[part])
    results = [json.loads((run / "result.json").read_text())["metrics"] for run in (tested, plain)]
    assert results[0] == results[1]


class Generator(pl.Callback):
    """Notes the state of torch's generator before each step, before anybody re-keys it."""

    def __init__(self) -> None:
        self.states: list[torch.Tensor] = []

    def on_train_batch_end(self, *_: object) -> None:
        self.states.append(torch.get_rng_state())
