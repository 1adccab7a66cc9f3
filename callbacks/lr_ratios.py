"""An optimizer's own learning rate, and the rates of its parameter groups as multiples of it."""

from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
from torch.optim import Optimizer

from checks.arguments import Refusal


def own_rate(optimizer: Optimizer) -> float:
    """The rate of an optimizer as it was configured, for a group of ratio 1.

    That is the rate that its constructor got, if a group has it or says its `lr_ratio`; else that of the group with
    the highest one.

    Args:
        optimizer: an optimizer that has not been stepped.
    """
    rates = _rates(optimizer)
    default = float(optimizer.defaults.get("lr") or 0)
    known = any("lr_ratio" in group for group in optimizer.param_groups)
    return default if known or default in rates or not any(rates) else max(rates)


def lr_ratios(optimizer: Optimizer) -> list[float]:
    """For each group, its rate as a multiple of `own_rate`; a group's `lr_ratio` says it first."""
    own = own_rate(optimizer)
    given = [group.get("lr_ratio") for group in optimizer.param_groups]
    return [
        float(ratio) if ratio is not None else rate / own if own else 1.0
        for ratio, rate in zip(given, _rates(optimizer), strict=True)
    ]


def say_ratios(optimizer: Optimizer) -> list[float]:
    """Let a fresh optimizer say its groups' ratios and its own rate, as those of Cadence's modules do; the ratios."""
    own, ratios = own_rate(optimizer), lr_ratios(optimizer)
    optimizer.defaults["lr"] = own
    for group, ratio in zip(optimizer.param_groups, ratios, strict=True):
        group.setdefault("lr_ratio", ratio)
    return ratios


def say_again(trainer: pl.Trainer, ratios: Sequence[list[float]]) -> None:
    """Say them once more behind a checkpoint, which may come from a run that did not say them."""
    for optimizer, known in zip(trainer.optimizers, ratios, strict=False):
        for group, ratio in zip(optimizer.param_groups, known, strict=True):
            group.setdefault("lr_ratio", ratio)


def _rates(optimizer: Optimizer) -> list[float]:
    """The rate that each group was configured with, before a scheduler of torch's has changed it.

    Raises:
        Refusal: a group has none.
    """
    found: list[Any] = [group.get("initial_lr", group.get("lr")) for group in optimizer.param_groups]
    if None in found:
        raise Refusal(f"{type(optimizer).__name__} has no learning rate to set: leave out what sets it")
    return [float(rate) for rate in found]
