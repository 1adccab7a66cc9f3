"""The best value of each metric so far; whether the largest or the smallest is best follows from its name."""

import math
import re
from collections.abc import Mapping
from typing import Any

_SENSES = {"accuracy": 1.0, "acc": 1.0, "loss": -1.0, "error": -1.0}


def sense(name: str) -> float | None:
    """1 if larger values of a metric are better, -1 if smaller ones are, None if its name does not say.

    `val/accuracy`, `val_acc` and `top_accuracy` are larger, `val/loss` and `train/epoch_loss` smaller. Of a test there
    is no best.
    """
    return None if name.startswith("test") else _SENSES.get(re.split(r"[/_]", name)[-1])


class BestValues:
    """The best of each metric whose name says what is better; a value that is not finite is never the best."""

    def __init__(self) -> None:
        self._best: dict[str, float] = {}

    def better(self, values: Mapping[str, Any]) -> dict[str, float]:
        """What is better than all before, as `best/NAME`."""
        found = {}
        for name, value in values.items():
            way = sense(name)
            if way is None or not math.isfinite(value):
                continue
            if name not in self._best or way * value > way * self._best[name]:
                self._best[name] = float(value)
                found[f"best/{name}"] = float(value)
        return found

    def all(self) -> dict[str, float]:
        """The best of each so far, as `best/NAME`."""
        return {f"best/{name}": value for name, value in self._best.items()}
