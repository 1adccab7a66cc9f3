"""Where every finder begins: a run of a problem before its first step, copies of which are trained."""

import itertools
import math
import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from benchmarks.finders_problems import Problem

READ_EVERY = 16  # steps between two looks at a loss
REFRESHED = 50  # batches from which batch norms take their averages anew


class Start:
    """The start of one problem with one seed: copies of it are trained, and it stays as it is.

    Args:
        trainer: trainer of a run that has begun.
        problem: the problem.
    """

    def __init__(self, trainer: Any, problem: Problem) -> None:
        from trainer.access import datamodule_of

        self.trainer, self.problem, self.data = trainer, problem, datamodule_of(trainer)

    def copy(self) -> Any:
        """A copy of the run, whose step n has the run's own samples."""
        from callbacks.range_tests.rehearsal import Rehearsal

        return Rehearsal(self.trainer, self.problem.batch_size, self.data.seed)

    def batches(self, seed: int) -> Iterator[tuple[Any, Any]]:
        """A pass over the training images, as the network gets them."""
        from timeline.stream import Stream

        stream = Stream(self.data.stream.samples, self.problem.batch_size, seed, False)
        loader = self.data.loader(stream, lambda: 0, self.data.train_transforms)
        for number in range(stream.steps_in(0)):
            yield self.data.model_input(loader.batch(number), self.data.train_transforms)

    def refresh(self, copy: Any) -> int:
        """Have the batch norms of a copy take their averages anew; the number of batches that it took."""
        import torch

        if not self.normalised(copy.module):
            return 0
        given = list(itertools.islice(self.batches(1), REFRESHED))
        with torch.no_grad():
            for images, _ in given:
                copy.module(images)
        return len(given)

    def normalised(self, module: Any) -> bool:
        """Whether a module has batch norm."""
        from torch import nn

        return any(isinstance(part, nn.BatchNorm2d) for part in module.modules())

    def at_rate(self, rate: float, refresh: bool = False) -> dict[str, Any]:
        """Loss and accuracy on the test images after training at a fixed rate.

        Args:
            rate: learning rate.
            refresh: whether batch norms take their averages anew before.
        """
        copy = self.copy()
        ready = partial(self.refresh, copy) if refresh else lambda: None
        return self.trained(copy, lambda number: copy.step(number, rate), ready)

    def trained(self, copy: Any, step: Callable[[int], Any], ready: Callable[[], Any] = lambda: None) -> dict[str, Any]:
        """What a training comes to, in columns; one whose loss is no longer finite ends early.

        Args:
            copy: what is trained.
            step: function that takes the step of a number, and returns its loss.
            ready: function that makes the copy ready to be judged.
        """
        for number in range(self.problem.steps):
            loss = step(number)
            if (number + 1) % READ_EVERY == 0 and not math.isfinite(float(loss)):
                break
        ready()
        found = self._judged(copy.module)
        return {"accuracy": round(found["accuracy"], 5), "loss": round(found["loss"], 5), "trained": number + 1}

    def _judged(self, module: Any) -> dict[str, float]:
        """Loss and accuracy of a copy's module on the test images."""
        import torch

        module.evaluated()  # drops what it has of before
        module.eval()
        with torch.inference_mode():
            for stored in self.data.test_dataloader():
                module.evaluate(self.data.model_input(stored, self.data.eval_transforms))
        return module.evaluated()


def begun(problem: Problem, seed: int, act: Callable[[Start], None]) -> None:
    """Begin a run of a problem, and call `act` with its start."""
    import pytorch_lightning as pl

    class Act(pl.Callback):
        def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
            from callbacks.range_tests.rehearsal import undisturbed

            signal.signal(signal.SIGTERM, signal.SIG_DFL)  # Lightning would wait for the end of a step, of a run of one
            with undisturbed(trainer):
                act(Start(trainer, problem))
            trainer.should_stop = True

    model = problem.module(seed)
    model.optimizer_factory = lambda groups: problem.optimizer(groups, 1e-3)
    quiet: dict[str, Any] = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    pl.Trainer(
        **quiet, accelerator="cpu", max_steps=1, enable_model_summary=False, limit_val_batches=0,
        use_distributed_sampler=False, callbacks=[Act()],
    ).fit(model, problem.datamodule(seed))  # fmt: skip


def timed(act: Callable[[], Any]) -> tuple[Any, float]:
    """What a function returns, and the seconds of this process that it took."""
    began = time.process_time()
    return act(), time.process_time() - began
