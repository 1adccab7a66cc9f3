"""What a run has left behind, and how to compare it."""

import csv
from pathlib import Path

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
