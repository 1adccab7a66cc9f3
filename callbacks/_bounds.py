"""What a policy with `bounds: auto` takes from the range test that stands before it."""

from typing import Any

import pytorch_lightning as pl


class NoBounds(ValueError):
    """The range test gave a refusal instead of bounds: an outcome, not a defect, though training has begun."""


def earlier_test(trainer: pl.Trainer, taker: pl.Callback, test: str) -> Any:
    """The callback of class `test` that stands before `taker`.

    Raises:
        ValueError: there is none.
    """
    callbacks: list[pl.Callback] = trainer.callbacks  # type: ignore[attr-defined]  # Lightning sets it undeclared
    for callback in callbacks[: callbacks.index(taker)]:
        if type(callback).__name__ == test:
            return callback
    name = type(taker).__name__
    raise ValueError(f"bounds: auto needs {test} before {name} in trainer.callbacks: put one there, or give the bounds")


def found_bounds(trainer: pl.Trainer, taker: pl.Callback, test: str) -> Any:
    """The two bounds that the test found.

    Raises:
        NoBounds: it refused, with its reason.
    """
    source = earlier_test(trainer, taker, test)
    if source.bounds is None:
        raise NoBounds(f"bounds: {test} found none ({source.refusal or 'it has not run'}): give lower and upper")
    return source.bounds
