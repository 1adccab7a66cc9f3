"""What a policy with `bounds: auto` takes from the range test that stands before it."""

from typing import Any

import pytorch_lightning as pl

from callbacks._range_test import RangeTest


class NoBounds(ValueError):
    """The range test gave a refusal instead of bounds: an outcome, not a defect, though training has begun."""


def earlier_test(trainer: pl.Trainer, taker: pl.Callback, test: type[RangeTest]) -> RangeTest:
    """The callback of class `test` that stands before `taker`.

    Raises:
        ValueError: there is none.
    """
    callbacks: list[pl.Callback] = trainer.callbacks  # type: ignore[attr-defined]  # Lightning sets it undeclared
    for callback in callbacks[: callbacks.index(taker)]:
        if isinstance(callback, test):
            return callback
    raise ValueError(
        f"bounds: auto needs {test.__name__} before {type(taker).__name__} in trainer.callbacks: "
        "put one there, or give the bounds"
    )


def found_bounds(trainer: pl.Trainer, taker: pl.Callback, test: type[RangeTest]) -> tuple[Any, Any]:
    """The two bounds that the test found.

    Raises:
        NoBounds: it refused, with its reason.
    """
    source = earlier_test(trainer, taker, test)
    if source.bounds is None:
        raise NoBounds(
            f"bounds: {test.__name__} found none ({source.refusal or 'it has not run'}): give lower and upper"
        )
    return source.bounds
