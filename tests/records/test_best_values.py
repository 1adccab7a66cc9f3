"""The best value by name: accuracies are larger, losses and errors smaller, and a test has no best."""

import math

import pytest

from records.best_values import BestValues, sense


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("val/accuracy", 1), ("val/loss", -1), ("val/error", -1), ("train/epoch_loss", -1), ("val_loss", -1),
        ("val_acc", 1), ("test/accuracy", None), ("lr", None), ("time_to_target/seconds", None), ("val/lossy", None),
    ],
)  # fmt: skip
def test_sense(name: str, expected: float | None) -> None:
    assert sense(name) == expected


def test_only_what_is_better_is_told() -> None:
    best = BestValues()
    assert best.better({"val/loss": 2.0, "val/accuracy": math.nan, "lr": 0.1}) == {"best/val/loss": 2.0}
    assert best.better({"val/loss": 2.0, "val/accuracy": 0.5}) == {"best/val/accuracy": 0.5}
    assert best.better({"val/loss": 1.0, "val/accuracy": 0.4}) == {"best/val/loss": 1.0}
    assert best.better({"val/loss": -math.inf, "val/accuracy": 0.5}) == {}
