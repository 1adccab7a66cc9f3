"""Checks of options, and the choice between the plain loop and `torch._foreach_*`."""

import math
from collections.abc import Sequence
from typing import Any

from torch import Tensor


def check_number(
    name: str,
    value: Any,
    remedy: str,
    low: float = 0.0,
    high: float = math.inf,
    *,
    with_low: bool = False,
) -> None:
    """Check that an option is a finite number in (low, high), or in [low, high) with `with_low`.

    Raises:
        ValueError: it is not; one line names the option, its value and the remedy.
    """
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not number or value >= high or value < low or (value == low and not with_low):
        left = "[" if with_low else "("
        span = f"{left}{low:g}, {high:g})"
        raise ValueError(f"{name} must be a number in {span}, got {value!r}: {remedy}")


def check_choice(name: str, value: Any, choices: Sequence[Any]) -> None:
    """Check that an option is one of a few values.

    Raises:
        ValueError: it is not; one line names the option, its value and the choices.
    """
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}: choose one of them")


def use_foreach(foreach: bool | None, params: Sequence[Tensor]) -> bool:
    """Whether a step takes the `foreach` path: as told, or by itself where all tensors share device and float dtype."""
    if foreach is not None:
        return foreach
    first = params[0]
    return first.is_floating_point() and all(p.device == first.device and p.dtype == first.dtype for p in params)


def dense_gradients(params: Sequence[Tensor]) -> list[Tensor]:
    """The gradients of tensors that have one.

    Raises:
        ValueError: a gradient is sparse.
    """
    grads = [p.grad for p in params if p.grad is not None]
    if any(grad.is_sparse for grad in grads):
        raise ValueError("gradients must be dense, got a sparse one: build the embedding with sparse=False")
    return grads
