"""`Cycle`: a value that goes up and down between two bounds, as a pure function of how far the run is."""

import math
from dataclasses import dataclass
from typing import Literal, get_args, overload

import numpy as np

Mode = Literal["triangular", "triangular2", "exp_range", "exp_range_bounds", "exp_growth"]

MODES_WITHOUT_GAMMA = ("triangular", "triangular2")


@dataclass(frozen=True)
class Cycle:
    """t -> value: linearly from `lower` to `upper` in one half-cycle, back in the next, and so on.

    Source: Smith, 'Cyclical learning rates for training neural networks' (arXiv 1506.01186), section 3.2 and its
    listing. With s the half-cycle, cycle = floor(1 + t / 2s), x = |t / s - 2 cycle + 1| (1 at the bottom, 0 at the
    top) and h = upper - lower:

    | mode | value | what decays |
    |---|---|---|
    | `triangular` | lower + h (1 - x) | nothing |
    | `triangular2` | lower + h (1 - x) / 2^(cycle - 1) | the amplitude, halved each cycle |
    | `exp_range` | lower + h (1 - x) gamma^t | the amplitude, as in torch and in the Keras callback |
    | `exp_range_bounds` | (lower + h (1 - x)) gamma^t | both bounds, as Smith words it |
    | `exp_growth` | lower + h (1 - x gamma^t) | the amplitude, towards the upper bound; for batch sizes |

    `exp_growth` is for batch sizes because a growing batch size lowers the noise scale lr N / B as a decaying learning
    rate does (Smith et al., 'Don't decay the learning rate, increase the batch size', arXiv 1711.00489).

    Args:
        lower: value at the start and at the end of a cycle.
        upper: value in the middle of the first cycle.
        half_cycle: length from the bottom to the top, in the unit in which t is counted (steps, epochs or samples).
        mode: how the cycles decay: a row of the table above.
        gamma: decay factor per unit of t, in (0, 1]; for the exponential modes only.

    Raises:
        ValueError: a field is out of range, or `gamma` is given to a mode that has none.
    """

    lower: float
    upper: float
    half_cycle: float
    mode: Mode = "triangular"
    gamma: float = 1.0

    def __post_init__(self) -> None:
        for name in ("lower", "upper"):
            if not (math.isfinite(value := getattr(self, name)) and value >= 0):
                raise ValueError(f"{name} must be a finite number of at least 0, got {value}: give the bound itself")
        if self.lower > self.upper:
            raise ValueError(f"lower must not exceed upper, got {self.lower} and {self.upper}: exchange them")
        if not (math.isfinite(self.half_cycle) and self.half_cycle > 0):
            raise ValueError(f"half_cycle must be positive and finite, got {self.half_cycle}: 2 to 10 epochs are usual")
        if self.mode not in get_args(Mode):
            raise ValueError(f"mode must be one of {', '.join(get_args(Mode))}, got {self.mode!r}: try triangular")
        if not 0 < self.gamma <= 1:
            raise ValueError(f"gamma must lie in (0, 1], got {self.gamma}: 0.99994 a step is Smith's")
        if self.gamma != 1 and self.mode in MODES_WITHOUT_GAMMA:
            raise ValueError(f"gamma has no part in mode {self.mode}, got {self.gamma}: leave it out, or set exp_range")

    @overload
    def __call__(self, t: float) -> float: ...

    @overload
    def __call__(self, t: np.ndarray) -> np.ndarray: ...

    def __call__(self, t: float | np.ndarray) -> float | np.ndarray:
        """The value at t, counted in half_cycle's unit: float for a number, float64 of one shape for an array."""
        cycle = np.floor(1 + t / (2 * self.half_cycle))
        x = np.minimum(np.abs(t / self.half_cycle - 2 * cycle + 1), 1)  # else rounding could give a value below `lower`
        height = self.upper - self.lower
        if self.mode == "triangular":
            value = self.lower + height * (1 - x)
        elif self.mode == "triangular2":
            value = self.lower + height * (1 - x) * 0.5 ** (cycle - 1)
        elif self.mode == "exp_range":
            value = self.lower + height * (1 - x) * self.gamma**t
        elif self.mode == "exp_range_bounds":
            value = (self.lower + height * (1 - x)) * self.gamma**t
        else:
            value = self.lower + height * (1 - x * self.gamma**t)
        return value if isinstance(t, np.ndarray) else float(value)
