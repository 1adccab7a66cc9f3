"""Base class of the learning-rate policies: compute the rate of the next step, set it, log it."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, get_args

import pytorch_lightning as pl
from torch.optim import Optimizer

from callbacks.lr_ratios import say_again, say_ratios
from checks.arguments import Refusal
from timeline.position import Position, Unit
from trainer.access import callbacks_of, log_rates, row_due, stream_of
from trainer.counting import counts_epochs, counts_samples, position_of


class LRSchedule(pl.Callback):
    """Base of the schedules: each parameter group's rate is its `lr_ratio` times a function of the step's position.

    Attributes:
        unit: unit of the schedule: steps, epochs (passes over the training set) or samples.
        scales: whether its rates are multiples of the optimizer's own.
    """

    left_out_of_range_tests: ClassVar[bool] = True
    scales: ClassVar[bool] = True
    unit: Unit

    _ratios: Sequence[list[float]] = ()

    def __init__(self, unit: Unit) -> None:
        if unit not in get_args(Unit):
            raise ValueError(f"unit must be one of {', '.join(get_args(Unit))}, got {unit!r}: try epochs")
        self.unit = unit

    @abstractmethod
    def lr(self, position: Position, configured: float) -> float:
        """The learning rate of the step that begins at `position`, for a group of ratio 1.

        Args:
            position: steps, samples and passes before the step.
            configured: the optimizer's own rate, as configured.
        """

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Refuse a second schedule.

        Raises:
            ValueError: another schedule sets the rate too.
        """
        if stage != "fit":
            return
        only_schedule(callbacks_of(trainer))

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """See what the fresh optimizers' own rates and ratios are, before a checkpoint's are loaded."""
        self._ratios = [say_ratios(optimizer) for optimizer in trainer.optimizers]

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Refuse a unit that the data cannot count, and a scheduler beside this.

        Raises:
            ValueError: the data do not count in `unit`, or a scheduler of torch's sets the rate too.
        """
        say_again(trainer, self._ratios)
        refuse_scheduler(trainer, type(self).__name__)
        counts = stream_of(trainer) is not None or {
            "steps": True, "epochs": counts_epochs(trainer), "samples": counts_samples(trainer)
        }[self.unit]  # fmt: skip
        if not counts:
            raise Refusal(f"unit {self.unit} needs a loader that counts them, and this one does not: set it to steps")

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Set the rate of the next step."""
        position = position_of(trainer)
        for optimizer in trainer.optimizers:
            self.apply(optimizer, position)

    def apply(self, optimizer: Optimizer, position: Position) -> None:
        """Set the rate of the step that begins at `position`."""
        set_lr(optimizer, self.lr(position, optimizer.defaults["lr"]))  # a checkpoint overwrites the groups', not this

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Log the rates where a row is due."""
        if row_due(trainer):
            rates = [group["lr"] for optimizer in trainer.optimizers for group in optimizer.param_groups]
            log_rates(trainer, rates)


def set_lr(optimizer: Optimizer, lr: float) -> None:
    """Set each parameter group's rate to its `lr_ratio` times a rate."""
    for group in optimizer.param_groups:
        group["lr"] = group.get("lr_ratio", 1.0) * lr


def refuse_scheduler(trainer: pl.Trainer, name: str) -> None:
    """Refuse torch's schedulers beside what sets the rate.

    Args:
        trainer: the run's.
        name: name of what sets the rate.

    Raises:
        ValueError: the module has one.
    """
    if found := trainer.lr_scheduler_configs:
        other = type(found[0].scheduler).__name__
        raise Refusal(f"{name} and {other}, the module's scheduler, would both set the learning rate: keep one of them")


def only_schedule(callbacks: list[pl.Callback]) -> LRSchedule | None:
    """The schedule among a run's callbacks.

    Raises:
        ValueError: there are several.
    """
    found = [callback for callback in callbacks if isinstance(callback, LRSchedule)]
    if len(found) > 1:
        names = " and ".join(type(schedule).__name__ for schedule in found)
        raise ValueError(f"trainer.callbacks: {names} would all set the learning rate: keep one of them")
    return found[0] if found else None
