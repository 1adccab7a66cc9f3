"""Rehearsals: throwaway copies of a run's module and optimizer, trained on the side without a trace in the run."""

import copy
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any, cast

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.optim import Optimizer

from callbacks.run_record import run_record
from datamodules.image_datamodule import ImageDataModule
from datamodules.transforms import Pipeline
from lightning_modules import ImageClassifier
from lightning_modules.shared_dropout import share_dropout
from timeline.keys import seed_generators, step_key
from timeline.position import BatchSizes
from timeline.stream import Stream
from trainer.access import copy_of_module, datamodule_of
from trainer.host_memory import out_of_memory
from trainer.scaling import SMALLEST


class Rehearsal:
    """A copy of the run as it stands now, with an order of samples and draws of its own.

    Training the copy, within `undisturbed`, leaves the run's weights, buffers, optimizer state, generators, place in
    the data, metrics and other callbacks as they are, to the bit. Precision and micro-batches are the run's. Gradients
    and losses are averaged over the processes, so every process gets the same answer.

    Args:
        trainer: the run's, which has begun to train.
        batch_size: number of samples in a step, over all processes; or a function of the position.
        seed: seed of the order of samples and of all draws.
        whole: whether every batch has its full size, and the rest of a pass is left out.
        guard: function that makes a context for the first two steps, by which all memory has been allocated.

    Raises:
        ValueError: the module or the datamodule is not one of Cadence's.
    """

    def __init__(
        self,
        trainer: pl.Trainer,
        batch_size: int | BatchSizes,
        seed: int,
        whole: bool = False,
        guard: Callable[[], AbstractContextManager[Any]] = nullcontext,
    ) -> None:
        run, data = trainer.lightning_module, datamodule_of(trainer)
        if not (isinstance(run, ImageClassifier) and isinstance(data, ImageDataModule) and data.stream is not None):
            raise ValueError("a range test needs a model and a dataset of Cadence's own: `cadence list` shows them")
        self._trainer, self._data, self._seed, self._guard = trainer, data, seed, guard
        self.module: Any = copy_of_module(trainer)
        self.module.train()
        self.optimizer = cast(Optimizer, self.module.configure_optimizers())
        self.optimizer.load_state_dict(copy.deepcopy(trainer.optimizers[0].state_dict()))
        self.stream = Stream(data.stream.samples, batch_size, seed, whole or data.drop_last)
        self._transforms = Pipeline(data.train_transforms.transforms, seed, data.train_transforms.rows_per_part)
        self._loader = data.loader(self.stream, lambda: 0, self._transforms)
        self._scaler = _own_scaler(trainer)
        self._tried = 0
        together = trainer.world_size > 1 and self.module.micro_batch_size is None
        self._share = share_dropout(self.module) if together else None

    def step(self, number: int, lr: float) -> Tensor:
        """One optimizer step at a learning rate (times each group's ratio).

        Args:
            number: number of the step, which decides its samples and draws.
            lr: learning rate for a group of ratio 1.

        Returns:
            Mean training loss over the whole batch, float64 on the device, which is not waited for.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = lr * group["lr_ratio"]
        loss = self.gradient(number)
        while not self._stepped(loss):
            loss = self.gradient(number)
        return loss

    def gradient(self, number: int) -> Tensor:
        """Put a step's gradient into the copy's parameters, without taking the step; returns the loss, like `step`."""
        world = self._trainer.world_size
        device = self._trainer.strategy.root_device
        rows = self.stream.size(number) * self._transforms.rows_per_sample
        rank = self._trainer.global_rank
        if self._share is not None:
            self._share.take(*self._transforms.share(rank, world, self.stream.size(number)), device)
            rank = 0
        seed_generators(step_key(self._seed, number, rank), device)
        self.optimizer.zero_grad()
        loss_sum = self.module.train_totals.loss_sum.zero_()
        self._tried += 1
        with self._memory_agreed(), self._trainer.precision_plugin.train_step_context():
            batch = self._data.model_input(self._loader.batch(number), self._transforms, self.module.dtype, device)
            self.module.accumulate(batch, rows / world, self._backward, self.module.train_totals)
        if world > 1:
            for parameter in self.module.parameters():
                if parameter.grad is not None:
                    torch.distributed.all_reduce(parameter.grad)
                    parameter.grad.div_(world)
            torch.distributed.all_reduce(loss_sum)
        return loss_sum / rows

    def gradients(self) -> list[Tensor]:
        """The gradients that `gradient` has put into the parameters, without the factor that scales 16-bit losses."""
        found = [parameter.grad for parameter in self.module.parameters() if parameter.grad is not None]
        return found if self._scaler is None else [grad / self._scaler.get_scale() for grad in found]

    def held_out(self) -> dict[str, float]:
        """Loss and accuracy of the copy on the validation images; empty where nothing is held out."""
        data = self._data
        if not data.validates:
            return {}
        device = self._trainer.strategy.root_device
        self.module.evaluated()  # drop the half-filled sums that were copied from the run
        self.module.eval()
        with torch.inference_mode(), self._trainer.precision_plugin.val_step_context():
            for stored in data.val_dataloader():
                self.module.evaluate(data.model_input(stored, data.eval_transforms, self.module.dtype, device))
        self.module.train()
        return self.module.evaluated()

    def state_dict(self) -> dict[str, Any]:
        """The copy's state. Every process must call it, and gets the buffers of all processes, stacked."""
        module = dict(self.module.state_dict())
        module |= {name: self._trainer.strategy.all_gather(module[name]) for name in self._of_a_process(module)}
        scaler = None if self._scaler is None else self._scaler.state_dict()
        return {"state_dict": module, "optimizer": self.optimizer.state_dict(), "scaler": scaler}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state of `state_dict`, on as many processes."""
        module = dict(state["state_dict"])
        module |= {name: module[name][self._trainer.global_rank] for name in self._of_a_process(module)}
        self.module.load_state_dict(module)
        self.optimizer.load_state_dict(state["optimizer"])
        if self._scaler is not None:
            self._scaler.load_state_dict(state["scaler"])

    def _stepped(self, loss: Tensor) -> bool:
        """Take the step; whether it counts: one that the scaler skips is tried again, as in a run."""
        with self._memory_agreed():
            if self._scaler is None:
                self.module.clip_gradient()
                self.optimizer.step()
                return True
            before = self._scaler.get_scale()
            self._scaler.unscale_(self.optimizer)
            self.module.clip_gradient()
            self._scaler.step(self.optimizer)
            self._scaler.update()
        now = self._scaler.get_scale()
        return now >= before or now < SMALLEST or not bool(loss.isfinite())

    @contextmanager
    def _memory_agreed(self) -> Iterator[None]:
        """Run the block under the memory guard. If any rank runs out of memory, raise on every rank.

        Otherwise the rest would hang in all_reduce. Only in the first two steps, by which all memory has been
        allocated: the exchange makes the host wait.
        """
        if self._tried > 2:
            yield
            return
        alone, short = self._trainer.world_size == 1, False
        try:
            with self._guard():
                yield
        except (MemoryError, RuntimeError) as error:
            if alone or not out_of_memory(error):
                raise
            short = True  # the error itself would keep the memory alive by its traceback
        if alone:
            return
        flag = torch.tensor(int(short), device=self._trainer.strategy.root_device)
        torch.distributed.all_reduce(flag, torch.distributed.ReduceOp.MAX)
        if flag.item():
            raise torch.OutOfMemoryError("out of memory in one of the processes")

    def _of_a_process(self, state: dict[str, Tensor]) -> list[str]:
        """Names of what differs between processes: the buffers, which are not averaged as gradients are."""
        if self._trainer.world_size == 1:
            return []
        return [name for name, _ in self.module.named_buffers() if name in state]

    def _backward(self, loss: Tensor, rows: float, last: bool) -> None:
        scaled = loss / rows
        (scaled if self._scaler is None else self._scaler.scale(scaled)).backward()


@contextmanager
def undisturbed(trainer: pl.Trainer) -> Iterator[None]:
    """Put torch's generators, on the host and on the run's device, back afterwards, and count the time as rehearsal."""
    device, record = trainer.strategy.root_device, run_record(trainer)
    devices, kind = ([], "cuda") if device.type == "cpu" else ([device], device.type)
    with ExitStack() as stack:
        stack.enter_context(torch.random.fork_rng(devices, device_type=kind))
        stack.enter_context(torch.enable_grad())
        if record is not None:
            stack.enter_context(record.during("rehearsal"))
        yield


def _own_scaler(trainer: pl.Trainer) -> Any:
    """A gradient scaler that starts where the run's stands, for 16-bit floats; None in other precisions."""
    scaler = getattr(trainer.precision_plugin, "scaler", None)
    if scaler is None:
        return None
    return torch.amp.GradScaler(trainer.strategy.root_device.type, init_scale=scaler.get_scale())
