"""`--lr_scheduler`: one of torch's schedulers, made of the configuration, and what it does not go with."""

from typing import Any

import torch
from pytorch_lightning.cli import instantiate_class
from torch import nn

from callbacks import CyclicalLR, LRRangeTest, MultiStepLR
from commands.configuration.lightning_checks import configured_classes
from commands.configuration.messages import readable, within
from commands.errors import UserError
from trainer.epoch_schedulers import EpochScheduler, Scheduler

_ABSOLUTE = ("CyclicLR", "OneCycleLR")  # schedulers whose rates are not multiples of a group's own
LIGHTNINGS = "pytorch_lightning.cli.ReduceLROnPlateau"


def check_scheduler(command: str, config: Any) -> None:
    """Refuse a scheduler whose rates would not be those that are trained with.

    Args:
        command: `fit`, `test` or a range test.
        config: parsed configuration of the command.

    Raises:
        UserError: names the field and the remedy.
    """
    if (given := config.lr_scheduler) is None:
        return
    if given.class_path == "torch.optim.lr_scheduler.ReduceLROnPlateau":
        raise UserError(
            f"lr_scheduler: torch's ReduceLROnPlateau does not say which metric it waits for\n"
            f"give Lightning's: --lr_scheduler {LIGHTNINGS} --lr_scheduler.monitor val/loss"
        )
    name, init = given.class_path.rpartition(".")[2], given.init_args
    if name in _ABSOLUTE and config.model.get("init_args", {}).get("lr_ratios"):
        raise UserError(
            f"lr_scheduler: {name} sets one rate everywhere, so that model.lr_ratios has no effect: leave it out"
        )
    if name == "OneCycleLR" and command == "fit":
        length = init.total_steps or (init.epochs or 0) * (init.steps_per_epoch or 0)
        epochs = config.trainer.max_epochs
        if epochs is not None and 0 < length < epochs:
            raise UserError(
                f"lr_scheduler: OneCycleLR ends after {length} epochs, and trainer.max_epochs is {epochs}, its steps "
                f"are epochs here: set lr_scheduler.total_steps to {epochs}"
            )
    for kind, callback in zip(configured_classes(config, "callbacks"), config.trainer.callbacks or [], strict=False):
        if issubclass(kind, CyclicalLR | MultiStepLR):
            raise UserError(
                f"lr_scheduler: {kind.__name__} among trainer.callbacks sets the rate before each step, and the "
                "scheduler's would not count: leave one of them out"
            )
        if command == "fit" and issubclass(kind, LRRangeTest) and callback.init_args.get("update_lr"):
            raise UserError(
                "lr_scheduler: it begins with the configured rate, and trainer.callbacks.update_lr would set another "
                "within the run\nfind the rate by `cadence lr-range-test`, and set optimizer.lr to it"
            )


def epoch_scheduler(config: Any) -> list[EpochScheduler]:
    """The callback that gives the optimizer its scheduler; none where the configuration has none.

    Args:
        config: parsed configuration, with the environment's values.
    """
    if (given := config.lr_scheduler) is None:
        return []
    init = given.as_dict()

    def build(optimizer: Any) -> Scheduler:
        try:
            return instantiate_class(optimizer, init)
        except (ValueError, TypeError, AttributeError, KeyError, ZeroDivisionError) as error:
            raise ValueError(within("lr_scheduler", readable(str(error)))) from error

    monitor = given.init_args.get("monitor") if given.class_path == LIGHTNINGS else None
    return [EpochScheduler(build, monitor)]


def rates_by_epoch(config: Any, epochs: int) -> list[float]:
    """The rate of each epoch, for a parameter group of ratio 1, as the scheduler will set it.

    Args:
        config: parsed configuration, with the environment's values, of a run with a scheduler.
        epochs: number of epochs.

    Raises:
        UserError: the rates follow from what is measured in the run, or the scheduler cannot be made.
    """
    if config.lr_scheduler.class_path == LIGHTNINGS:
        raise UserError("lr_scheduler: the rates of ReduceLROnPlateau follow from what the run measures: leave it out")
    optimizer = instantiate_class([nn.Parameter(torch.zeros(1))], config.optimizer.as_dict())
    try:
        scheduler = epoch_scheduler(config)[0].build(optimizer)
        rates = []
        for _ in range(epochs):
            rates.append(float(optimizer.param_groups[0]["lr"]))
            optimizer.step()  # of no gradient: torch wants to see one before a scheduler's step
            scheduler.step()
    except ValueError as error:
        raise UserError(str(error)) from error
    return rates
