"""Where a run stands before a step, in steps, samples and passes."""

from collections.abc import Callable
from typing import Literal, NamedTuple, get_args

Unit = Literal["steps", "epochs", "samples"]


class Position(NamedTuple):
    """Where a run stands before a step.

    Attributes:
        step: number of optimizer steps done.
        samples: number of samples seen.
        epochs: number of passes over the training set, a whole number where a pass ends.
    """

    step: int
    samples: int
    epochs: float


BatchSizes = Callable[[Position], int]


def counted(position: Position, unit: Unit) -> float:
    """A position as one number, in the unit of a schedule: steps done, passes done, or samples seen."""
    if unit not in get_args(Unit):
        raise ValueError(f"unit must be one of {', '.join(get_args(Unit))}, got {unit!r}: try epochs")
    return float({"steps": position.step, "epochs": position.epochs, "samples": position.samples}[unit])
