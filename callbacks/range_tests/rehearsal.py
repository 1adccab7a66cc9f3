"""Rehearsals: throwaway copies of a run's module and optimizer, trained on the side without a trace in the run."""

import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor

from callbacks.range_tests.material import Kept
from callbacks.range_tests.subject import data_of, learner_of
from callbacks.run_record import run_record
from timeline.position import BatchSizes
from timeline.stream import Stream
from trainer.host_memory import out_of_memory
from trainer.scaling import SMALLEST


class Rehearsal:
    """A copy of the run as it stands now, with an order of samples and draws of its own.

    Training the copy, within `undisturbed`, leaves the run's weights, buffers, optimizer state, generators, place in
    the data, metrics and other callbacks as they are, to the bit. Precision and micro-batches are the run's. Gradients
    and losses are averaged over the processes, so every process gets the same answer.

    Args:
        trainer: the run's, which has begun to train.
        batch_size: number of samples in a step, over all processes; or a function of the position; None for the run's.
        seed: seed of the order of samples and of all draws.
        whole: whether every batch has its full size, and the rest of a pass is left out.
        guard: function that makes a context for the first two steps, by which all memory has been allocated.

    Raises:
        ValueError: the module or the data cannot be rehearsed.
    """

    def __init__(
        self,
        trainer: pl.Trainer,
        batch_size: int | BatchSizes | None,
        seed: int,
        whole: bool = False,
        guard: Callable[[], AbstractContextManager[Any]] = nullcontext,
    ) -> None:
        self._trainer, self._guard = trainer, guard
        self._batches = data_of(trainer).batches(batch_size, seed, whole)
        self._learner = learner_of(trainer)
        self.module, self.optimizer = self._learner.module, self._learner.optimizer
        self._scaler = _own_scaler(trainer)
        self._tried = 0

    @property
    def stream(self) -> Stream:
        """The samples of each step."""
        assert self._batches.stream is not None
        return self._batches.stream

    def step(self, number: int, lr: float) -> Tensor:
        """One optimizer step at a learning rate (times each group's ratio).

        Args:
            number: number of the step, which decides its samples and draws.
            lr: learning rate for a group of ratio 1.

        Returns:
            Mean training loss over the whole batch, float64 on the device, which is not waited for.
        """
        for group, ratio in zip(self.optimizer.param_groups, self._learner.ratios, strict=True):
            group["lr"] = lr * ratio
        while True:
            loss, grown = self._train(number, self._stepped)
            if grown or not bool(loss.isfinite()):
                return loss

    def gradient(self, number: int) -> Tensor:
        """Put a step's gradient into the copy's parameters, without taking the step; returns the loss, like `step`."""
        return self._train(number, None)[0]

    def gradients(self) -> list[Tensor]:
        """The gradients that `gradient` has put into the parameters, without the factor that scales 16-bit losses."""
        found = [parameter.grad for parameter in self.module.parameters() if parameter.grad is not None]
        return found if self._scaler is None else [grad / self._scaler.get_scale() for grad in found]

    def held_out(self) -> dict[str, float]:
        """Loss and accuracy of the copy on the held-out samples; empty where nothing is held out."""
        return self._learner.held_out(self._batches)

    def held_out_loss(self, kept: Kept) -> Tensor:
        """Mean loss of the copy on such images, over all processes: float64 on the device."""
        return self._learner.held_out_loss(kept)

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

    def _train(self, number: int, step: Callable[[], bool] | None) -> tuple[Tensor, bool]:
        """Have the learner make a step's gradient, and settle it; the loss, and whether the step counts.

        Args:
            number: number of the step.
            step: function that takes the optimizer's step, and says whether it counts; None takes none.
        """
        self._tried += 1
        counts = []
        with ExitStack() as gradient:
            gradient.enter_context(self._memory_agreed())

            def settle() -> bool:
                gradient.close()  # all processes have their gradients, or none goes on
                self._average()
                if step is not None:
                    counts.append(step())
                return step is not None

            part, whole = self._learner.train(self._batches, number, self._scaled, settle)
        if self._trainer.world_size > 1:
            torch.distributed.all_reduce(part)
        return part / whole, all(counts)

    def _average(self) -> None:
        """Take the mean of the gradients over the processes."""
        if (world := self._trainer.world_size) == 1:
            return
        for parameter in self.module.parameters():
            if parameter.grad is not None:
                torch.distributed.all_reduce(parameter.grad)
                parameter.grad.div_(world)

    def _stepped(self) -> bool:
        """Take the step; whether it counts: one that the scaler skips is tried again, as in a run."""
        with self._memory_agreed():
            if self._scaler is None:
                self._learner.before_step()
                self.optimizer.step()
                return True
            before = self._scaler.get_scale()
            self._scaler.unscale_(self.optimizer)
            self._learner.before_step()
            self._scaler.step(self.optimizer)
            self._scaler.update()
        now = self._scaler.get_scale()
        return now >= before or now < SMALLEST

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

    def _scaled(self, loss: Tensor) -> Tensor:
        return loss if self._scaler is None else self._scaler.scale(loss)


@contextmanager
def undisturbed(trainer: pl.Trainer) -> Iterator[None]:
    """Put the global generators back afterwards, torch's, Python's and numpy's, and count the time as rehearsal."""
    device, record = trainer.strategy.root_device, run_record(trainer)
    devices, kind = ([], "cuda") if device.type == "cpu" else ([device], device.type)
    with ExitStack() as stack:
        stack.enter_context(torch.random.fork_rng(devices, device_type=kind))
        stack.enter_context(torch.enable_grad())
        if record is not None:
            stack.enter_context(record.during("rehearsal"))
        stack.callback(random.setstate, random.getstate())
        stack.callback(np.random.set_state, np.random.get_state())
        yield


def _own_scaler(trainer: pl.Trainer) -> Any:
    """A gradient scaler that starts where the run's stands, for 16-bit floats; None in other precisions."""
    scaler = getattr(trainer.precision_plugin, "scaler", None)
    if scaler is None:
        return None
    return torch.amp.GradScaler(trainer.strategy.root_device.type, init_scale=scaler.get_scale())
