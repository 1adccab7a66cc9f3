"""Checks of arguments: each ValueError names the argument, the value given and the remedy, in one line.

They take arguments by name (`require_positive(batch_size=batch_size)`), so that the message says what the user wrote.
Intervals are written as in a message: "[0, 1)" holds 0 and not 1; "(0, inf)" holds every number above 0.
"""

import math
from collections.abc import Sequence
from typing import Any

LARGEST_SEED = 2**32 - 1


class Refusal(ValueError):
    """A mistake of the user's, or a limit of ours, that shows only when training has begun: no defect of a step."""


def require_at_least(least: int, remedy: str, /, **values: float) -> None:
    """Raise ValueError unless every value is at least `least`."""
    for name, value in values.items():
        if not value >= least:
            raise ValueError(f"{name} must be at least {least}, got {value}: {remedy}")


def require_positive(**sizes: int) -> None:
    """Raise ValueError unless every size is at least 1."""
    require_at_least(1, "give a positive whole number", **sizes)


def require_seed(**seeds: int) -> None:
    """Raise ValueError unless every seed is a whole number that numpy's and torch's generators take."""
    for name, seed in seeds.items():
        if not isinstance(seed, int) or not 0 <= seed <= LARGEST_SEED:
            raise ValueError(f"{name} must be a whole number in [0, {LARGEST_SEED}], got {seed!r}: try 0")


def require_not_negative(remedy: str, /, **values: float) -> None:
    """Raise ValueError unless every value is at least 0."""
    for name, value in values.items():
        if not value >= 0:
            raise ValueError(f"{name} must not be negative, got {value}: {remedy}")


def require_within(interval: str, remedy: str, /, **values: float) -> None:
    """Raise ValueError unless every value lies in the interval."""
    for name, value in values.items():
        if not _holds(interval, value):
            raise ValueError(f"{name} must lie in {interval}, got {value}: {remedy}")


def require_number(interval: str, remedy: str, /, **values: Any) -> None:
    """Raise ValueError unless every value is a finite number (no bool, no string) in the interval."""
    for name, value in values.items():
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not number or not _holds(interval, value):
            raise ValueError(f"{name} must be a number in {interval}, got {value!r}: {remedy}")


def require_choice(choices: Sequence[object], /, **values: object) -> None:
    """Raise ValueError unless every value is one of the choices."""
    for name, value in values.items():
        if value not in choices:
            raise ValueError(f"{name} must be one of {', '.join(map(str, choices))}, got {value!r}: choose one of them")


def _holds(interval: str, value: float) -> bool:
    low, high = map(float, interval[1:-1].split(","))
    above = value >= low if interval[0] == "[" else value > low
    return above and (value <= high if interval[-1] == "]" else value < high)
