"""Torch's learning-rate schedulers, once an epoch, also for a module that takes its optimizer steps itself."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import pytorch_lightning as pl
from pytorch_lightning.cli import ReduceLROnPlateau
from pytorch_lightning.utilities.types import LRSchedulerConfig
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from trainer.access import callbacks_of, log_every_n_steps, log_rates

Scheduler = LRScheduler | ReduceLROnPlateau


class EpochScheduler(pl.Callback):
    """Give a run's only optimizer a scheduler, which the epoch loop steps as Lightning does: at the end of each epoch.

    Lightning leaves that to modules whose optimization is manual. Here it is done for them too, unless their code
    calls `lr_schedulers`, by which such a module steps its schedulers itself. A scheduler that waits for a metric gets
    the first process's value of it on all of them. Its state is in the checkpoint, with the optimizer's.

    Keys that it logs: `lr`, the rate of the step that the row is of (`lr/0`, `lr/1` ... of several groups).

    Args:
        build: function of the optimizer that makes the scheduler.
        monitor: metric that a ReduceLROnPlateau waits for; None for any other.
    """

    left_out_of_range_tests: ClassVar[bool] = True
    monitored_by: ClassVar[str] = "lr_scheduler.monitor"

    def __init__(self, build: Callable[[Optimizer], Scheduler], monitor: str | None = None) -> None:
        self.build, self.monitor = build, monitor
        self.stepped_by_the_loop = False
        self._step, self._rates = 0, list[float]()

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Make the scheduler; a checkpoint's state comes after this.

        Raises:
            ValueError: the module has several optimizers, or a scheduler of its own.
        """
        name = type(pl_module).__name__
        if trainer.lr_scheduler_configs:
            raise ValueError(f"lr_scheduler: {name}.configure_optimizers makes one already: leave one of them out")
        if len(trainer.optimizers) != 1:
            raise ValueError(
                f"lr_scheduler is for one optimizer, and {name} has {len(trainer.optimizers)}: make schedulers in its "
                "configure_optimizers, and leave this one out"
            )
        scheduler, waits = self.build(trainer.optimizers[0]), self.monitor is not None
        trainer.strategy.lr_scheduler_configs = [
            LRSchedulerConfig(scheduler, monitor=self.monitor, reduce_on_plateau=waits)
        ]
        self.stepped_by_the_loop = not steps_its_schedulers(pl_module)

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Note the rates of the step: at an epoch's end they change before its row is due."""
        self._step = trainer.global_step
        if (self._step + 1) % log_every_n_steps(trainer) == 0:
            self._rates = [group["lr"] for group in trainer.optimizers[0].param_groups]

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Log them where the row is due."""
        if trainer.global_step == self._step + 1 and trainer.global_step % log_every_n_steps(trainer) == 0:
            log_rates(trainer, self._rates)


def steps_its_schedulers(module: pl.LightningModule) -> bool:
    """Whether a module that takes its steps itself steps its schedulers too: a method of it names `lr_schedulers`."""
    if module.automatic_optimization:
        return False
    own = [kind for kind in type(module).__mro__ if not kind.__module__.startswith(("pytorch_lightning.", "torch."))]
    methods = [method for kind in own for method in vars(kind).values()]
    return any("lr_schedulers" in method.__code__.co_names for method in methods if hasattr(method, "__code__"))


@contextmanager
def stepped_by_lightning(trainer: pl.Trainer) -> Iterator[None]:
    """Let Lightning step schedulers in the block, where an `EpochScheduler` says so, as if it took the steps itself."""
    module = trainer.lightning_module
    takes = any(isinstance(one, EpochScheduler) and one.stepped_by_the_loop for one in callbacks_of(trainer))
    if module.automatic_optimization or not takes:
        yield
        return
    module.automatic_optimization = True
    try:
        yield
    finally:
        module.automatic_optimization = False
