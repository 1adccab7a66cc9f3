"""A copy of somebody else's module beside its run: it reads the run's trainer, and nothing that it says gets there."""

import gc
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.core.optimizer import LightningOptimizer, _configure_optimizers
from pytorch_lightning.loggers.logger import DummyLogger
from pytorch_lightning.strategies import DDPStrategy, SingleDeviceStrategy
from pytorch_lightning.utilities.signature_utils import is_param_in_hook_signature
from torch import Tensor
from torch.optim import Optimizer

from checks.arguments import Refusal
from trainer.access import copy_of_module, overrides

_TRANSFER = ("on_before_batch_transfer", "transfer_batch_to_device", "on_after_batch_transfer")


class TrainerBeside:
    """A run's trainer as a copy of its module sees it: read through, with loggers that log nothing.

    What the copy sets (`self.trainer.should_stop = True`) it alone sees, and it writes no checkpoint.
    """

    global_step: int
    optimizers: list[Optimizer]

    def __init__(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        vars(self).update(_run=trainer, lightning_module=module, model=module)
        vars(self)["loggers"] = [DummyLogger() for _ in trainer.loggers]
        vars(self)["logger"] = self.loggers[0] if self.loggers else None

    def __getattr__(self, name: str) -> Any:
        return getattr(vars(self)["_run"], name)

    def print(self, *words: Any, **options: Any) -> None:
        """Say nothing."""

    def save_checkpoint(self, *words: Any, **options: Any) -> None:
        """Write nothing."""


def module_beside(trainer: pl.Trainer) -> tuple[Any, TrainerBeside, dict[str, Any]]:
    """A copy of the run's module that may be trained: itself, the trainer that it sees, and what it has logged last.

    Raises:
        ValueError: the module cannot be copied, or the strategy spreads it over processes.
    """
    if not isinstance(trainer.strategy, SingleDeviceStrategy | DDPStrategy):
        raise Refusal(
            f"a range test trains a whole copy of the model, which strategy {type(trainer.strategy).__name__} does not "
            "keep: set it to auto or ddp"
        )
    gc.collect()  # an earlier copy and what it logs by refer to each other, and its memory is needed
    try:
        module = copy_of_module(trainer)
    except Exception as error:
        name = type(trainer.lightning_module).__name__
        raise Refusal(f"a range test trains a copy of the model, and {name} cannot be copied: {error}") from error
    seen, logged = TrainerBeside(trainer, module), {}  # type: TrainerBeside, dict[str, Any]

    def log(name: str, value: Any, *words: Any, **options: Any) -> None:
        logged[name] = value

    def log_dict(dictionary: Mapping[str, Any], *words: Any, **options: Any) -> None:
        logged.update(dictionary)

    for part in module.modules():
        if isinstance(part, pl.LightningModule):
            part._trainer = seen  # type: ignore[assignment]
            part.log, part.log_dict, part.print = log, log_dict, seen.print  # type: ignore[method-assign,assignment]
    return module, seen, logged


def even_gradients(module: Any, trainer: pl.Trainer) -> None:
    """Give each parameter a gradient that has one on another process, where DDP is to find the unused ones.

    Without that DDP itself refuses parameters that have none.
    """
    strategy: Any = trainer.strategy
    if trainer.world_size == 1 or not strategy._ddp_kwargs.get("find_unused_parameters"):
        return
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    have = torch.tensor([parameter.grad is not None for parameter in trained], device=strategy.root_device).int()
    torch.distributed.all_reduce(have, torch.distributed.ReduceOp.MAX)
    for parameter, somewhere in zip(trained, have.tolist(), strict=True):
        if somewhere and parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)


def optimizers_of(module: pl.LightningModule) -> list[Optimizer]:
    """Fresh optimizers by the module's own `configure_optimizers`."""
    given: Any = module.configure_optimizers()
    return [] if given is None else _configure_optimizers(given)[0]


class OptimizerBeside(LightningOptimizer):
    """An optimizer as a module sees it, whose step is somebody else's affair.

    Args:
        optimizer: the copy's optimizer.

    Attributes:
        settle: function to call in place of the step.
        steps: number of steps so far.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        super().__init__(optimizer)
        self.settle: Any = lambda: True
        self.steps = 0

    def step(self, closure: Any = None, **options: Any) -> Any:
        """Settle the gradient that is there, or that the closure makes."""
        result = None if closure is None else closure()
        self.steps += 1
        if not self.settle():
            raise GradientTaken
        return result

    def toggle_model(self, sync_grad: bool = True) -> AbstractContextManager[None]:  # type: ignore[override]
        """Leave all parameters as they are: the only optimizer has all of them."""
        return nullcontext()


class GradientTaken(Exception):
    """Leaves a `training_step` with manual optimization where its gradient is all that was asked for."""


def moved(module: Any, trainer: pl.Trainer, data: Any, batch: Any) -> Any:
    """A loader's batch as the run would hand it to the module: by the hooks of module or datamodule, on the device.

    Args:
        module: copy of the run's module.
        trainer: the run's.
        data: the run's datamodule, or a copy; None without one.
        batch: the batch, on the host.
    """
    batch = trainer.precision_plugin.convert_input(batch)
    before, transfer, after = (_hook(module, data, name) for name in _TRANSFER)
    return after(transfer(before(batch, 0), trainer.strategy.root_device, 0), 0)


def arguments(step: Any, batch: Any, number: int, loader: int | None = None) -> list[Any]:
    """The arguments that a `training_step` or `validation_step` takes.

    Raises:
        ValueError: it draws its batches itself.
    """
    if is_param_in_hook_signature(step, "dataloader_iter", explicit=True):
        raise Refusal("a range test needs a training_step that is given its batch, not dataloader_iter")
    if not is_param_in_hook_signature(step, "batch_idx", min_args=2):
        return [batch]
    known = loader is not None and is_param_in_hook_signature(step, "dataloader_idx", min_args=3)
    return [batch, number, loader] if known else [batch, number]


def loss_of(output: Any) -> Tensor | None:
    """The loss among what a step has returned."""
    found = output.get("loss") if isinstance(output, Mapping) else output
    return found if isinstance(found, Tensor) else None


def _hook(module: Any, data: Any, name: str) -> Any:
    """Lightning's choice: the datamodule's hook where it has one of its own, else the module's."""
    return getattr(data if data is not None and overrides(data, name, pl.LightningDataModule) else module, name)
