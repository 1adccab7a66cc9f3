"""Rehearsals with anybody's `LightningModule`: its own `training_step` and hooks, on a copy."""

import contextlib
import copy
from functools import partial
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from callbacks.lr_ratios import lr_ratios
from callbacks.range_tests.material import Batches, HeldOut, Kept, Scale, Settle
from checks.arguments import Refusal
from datamodules.redrawn import seed_host
from timeline.keys import step_key
from trainer.beside import (
    GradientTaken,
    OptimizerBeside,
    arguments,
    even_gradients,
    loss_of,
    module_beside,
    optimizers_of,
)


class StockLearner:
    """A copy of a stranger's module, whose steps are those that Lightning would make with it.

    With automatic optimization a step has `accumulate_grad_batches` batches and the trainer's clipping; the module's
    hooks around it are called, the callbacks' are not. With manual optimization a step is one `training_step`, and its
    loss what that returns, else the sum of what it has given to `manual_backward`.

    Raises:
        ValueError: the module has several optimizers, or none, or cannot be copied.
    """

    def __init__(self, trainer: pl.Trainer) -> None:
        self._trainer, name = trainer, type(trainer.lightning_module).__name__
        self.module, self._seen, self._logged = module_beside(trainer)
        self.module.train()
        made = optimizers_of(self.module)
        if len(made) != 1 or len(trainer.optimizers) != 1:
            raise Refusal(f"a range test sets the rate of one optimizer, and {name} has {len(made)}: leave it out")
        if isinstance(made[0], torch.optim.LBFGS):
            raise Refusal("a range test takes one gradient a step, and LBFGS takes several: leave it out")
        self._name, self.optimizer, self.ratios = name, made[0], lr_ratios(made[0])
        self.optimizer.load_state_dict(copy.deepcopy(trainer.optimizers[0].state_dict()))
        self._as_seen = OptimizerBeside(self.optimizer)
        self._first_step = trainer.global_step
        self._passed: list[Tensor] = []
        self._seen.optimizers = [self.optimizer]
        self.module.optimizers = lambda use_pl_optimizer=True: self._as_seen if use_pl_optimizer else self.optimizer
        self.module.toggle_optimizer = self.module.untoggle_optimizer = lambda optimizer: None
        schedulers = self._schedulers()
        self.module.lr_schedulers = lambda: schedulers

    def train(self, batches: Batches, number: int, scale: Scale, settle: Settle) -> tuple[Tensor, float]:
        """The gradient of a step's loss, that of this process; the losses' mean over the processes is taken."""
        self._seen.global_step = self._first_step + number
        expected = [group["lr"] for group in self.optimizer.param_groups]

        def settled() -> bool:
            found = [group["lr"] for group in self.optimizer.param_groups]
            if found != expected:
                raise Refusal(
                    f"{self._name} sets the learning rate itself ({found[0]:.3g} in place of {expected[0]:.3g}), "
                    "so that a range test cannot: leave that out of its steps"
                )
            even_gradients(self.module, self._trainer)
            return settle()

        self._as_seen.settle, self._as_seen.steps = settled, 0
        with torch.enable_grad():
            loss = (self._automatic if self.module.automatic_optimization else self._manual)(batches, number, scale)
        if self._as_seen.steps != 1:
            raise Refusal(
                f"{self._name} makes {self._as_seen.steps} optimizer steps where a range test makes one: leave it out"
            )
        return loss.detach().double(), self._trainer.world_size

    def before_step(self) -> None:
        """Clip the gradient as the trainer says, behind the module's own hook."""
        if self.module.automatic_optimization:
            self.module.on_before_optimizer_step(self.optimizer)
            how = {name: getattr(self._trainer, name) for name in ("gradient_clip_val", "gradient_clip_algorithm")}
            self.module.configure_gradient_clipping(self.optimizer, **how)

    def held_out_loss(self, kept: Kept) -> Tensor:
        """The same, of some samples; the host reads it.

        Raises:
            Refusal: `validation_step` tells no loss.
        """
        if not (found := self.held_out(kept)):
            raise Refusal(
                f"on: held_out goes by the loss that validation_step returns or logs under a name with loss in it, and "
                f"{self._name} has none: log it, or leave on out"
            )
        return torch.tensor(found["loss"], dtype=torch.float64, device=self._trainer.strategy.root_device)

    def held_out(self, batches: HeldOut) -> dict[str, float]:
        """Mean loss over all processes: what `validation_step` returns, or logs under a name with `loss` in it."""
        module, losses = self.module, []  # type: Any, list[tuple[float, int]]
        held = batches.held_out(module)
        if held is None:
            return {}
        module.eval()
        with torch.inference_mode(), self._trainer.precision_plugin.val_step_context():
            module.on_validation_epoch_start()
            for batch, number, loader in held:
                self._logged.clear()
                loss = loss_of(module.validation_step(*arguments(module.validation_step, batch, number, loader)))
                if loss is None:
                    names = [name for name in self._logged if "loss" in name.lower()]
                    loss = torch.as_tensor(self._logged[names[0]]) if names else None
                if loss is not None:
                    losses.append((float(loss), rows_of(batch)))
            module.on_validation_epoch_end()
        module.train()
        device = self._trainer.strategy.root_device
        parts = [[loss * rows for loss, rows in losses], [rows for _, rows in losses]]
        sums = torch.tensor(parts, dtype=torch.float64, device=device).sum(1)
        if self._trainer.world_size > 1:
            torch.distributed.all_reduce(sums)
        return {"loss": float(sums[0] / sums[1])} if sums[1] else {}

    def _automatic(self, batches: Batches, number: int, scale: Scale) -> Tensor:
        module, optimizer, several = self.module, self._as_seen, self._trainer.accumulate_grad_batches
        epoch, total = self._trainer.current_epoch, torch.zeros(())
        for part in range(several):
            place = number * several + part
            output = self._stepped(batches, place)
            if (loss := loss_of(output)) is None:
                raise Refusal(f"{self._name}.training_step returns no loss, which a range test needs: return it")
            loss = loss / several
            if part == 0:
                module.on_before_zero_grad(self.optimizer)
                module.optimizer_zero_grad(epoch, place, self.optimizer)
            scaled = scale(loss)
            module.on_before_backward(scaled)
            module.backward(scaled)
            module.on_after_backward()
            total = total.to(loss.device) + loss.detach()
            if part == several - 1:
                with contextlib.suppress(GradientTaken):
                    module.optimizer_step(epoch, place, optimizer, partial(Tensor.clone, total))
            module.on_train_batch_end(output, self._batch, place)
        return total

    def _manual(self, batches: Batches, number: int, scale: Scale) -> Tensor:
        self._passed.clear()

        def manual_backward(loss: Tensor, *words: Any, **options: Any) -> None:
            self._passed.append(loss.detach())
            self.module.backward(scale(loss), *words, **options)

        self.module.manual_backward, output = manual_backward, None
        with contextlib.suppress(GradientTaken):
            output = self._stepped(batches, number)
            self.module.on_train_batch_end(output, self._batch, number)
        if (loss := loss_of(output)) is not None:
            return loss
        if not self._passed:
            raise Refusal(f"{self._name} gives no loss to manual_backward, which a range test needs")
        return torch.stack([loss.double() for loss in self._passed]).sum()

    def _stepped(self, batches: Batches, place: int) -> Any:
        """What the copy's `training_step` returns for a batch; all that it draws is keyed."""
        module, rank = self.module, self._trainer.global_rank
        self._batch = batches.batch(place, module)
        seed_host(step_key(batches.seed, place, rank), self._trainer.strategy.root_device)
        module.on_train_batch_start(self._batch, place)
        with self._trainer.precision_plugin.train_step_context():
            return module.training_step(*arguments(module.training_step, self._batch, place))

    def _schedulers(self) -> Any:
        """Copies of the run's schedulers on the copy's optimizer, for a module that steps them; rates are set anew."""
        memo: dict[int, Any] = {id(self._trainer.optimizers[0]): self.optimizer}
        copies = [copy.deepcopy(config.scheduler, memo) for config in self._trainer.lr_scheduler_configs]
        return copies[0] if len(copies) == 1 else copies or None


def rows_of(batch: Any) -> int:
    """Length of the first tensor in a batch, however it is nested; 1 without one."""
    if isinstance(batch, Tensor):
        return len(batch) if batch.dim() else 1
    parts = batch.values() if isinstance(batch, dict) else batch if isinstance(batch, list | tuple) else ()
    return next((rows_of(part) for part in parts if not isinstance(part, str)), 1)
