"""Rehearsals with a datamodule and with models of Cadence's own."""

import copy
from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.optim import Optimizer

from callbacks.range_tests.material import Batches, HeldOut, Kept, Scale, Settle
from checks.arguments import Refusal
from datamodules.image_datamodule import ImageDataModule
from datamodules.loaders import EvalLoader
from datamodules.transforms import Pipeline
from lightning_modules.shared_dropout import share_dropout
from timeline.keys import seed_generators, step_key
from timeline.position import BatchSizes
from timeline.stream import Stream, permutation
from trainer.access import copy_of_module


class OwnBatches:
    """Batches of an `ImageDataModule`, by a stream and a pipeline of their own."""

    def __init__(self, trainer: pl.Trainer, data: ImageDataModule, stream: Stream) -> None:
        self._trainer, self._data, self.stream, self.seed = trainer, data, stream, stream.seed
        run = data.train_transforms
        self._transforms = Pipeline(run.transforms, self.seed, run.rows_per_part)
        self._loader = data.loader(stream, lambda: 0, self._transforms)

    def batch(self, number: int, module: Any) -> tuple[Tensor, Tensor]:
        """Images and labels of this process."""
        device = self._trainer.strategy.root_device
        return self._data.model_input(self._loader.batch(number), self._transforms, module.dtype, device)

    def rows(self, number: int) -> int:
        """Samples of the step, times their copies."""
        return self.stream.size(number) * self._transforms.rows_per_sample

    def places(self, number: int) -> tuple[int, np.ndarray]:
        """Rows of the whole batch, and this process's places among them."""
        rank, world = self._trainer.global_rank, self._trainer.world_size
        return self._transforms.share(rank, world, self.stream.size(number))

    def held_out(self, module: Any) -> Iterator[tuple[tuple[Tensor, Tensor], int, int]] | None:
        """Validation images and labels of this process, with the batch's number; there is one loader."""
        data, device = self._data, self._trainer.strategy.root_device
        if not data.validates:
            return None
        stored = enumerate(data.val_dataloader())
        transforms = data.eval_transforms
        return ((data.model_input(batch, transforms, module.dtype, device), number, 0) for number, batch in stored)


class OwnKept:
    """Some validation images of an `ImageDataModule`, drawn by the seed of its split, in even batches.

    Raises:
        ValueError: there are not two for each process.
    """

    def __init__(self, trainer: pl.Trainer, data: ImageDataModule, images: int) -> None:
        self._data, self._device = data, trainer.strategy.root_device
        self._loader: EvalLoader = data.val_dataloader()
        held, least = len(self._loader.members), 2 * trainer.world_size
        if held < least:
            raise Refusal(f"on: held_out needs {least} validation images or more, got {held}: raise data.val_fraction")
        chosen = torch.from_numpy(np.sort(permutation(data.split_seed, 0, held)[:images]))
        self._loader.members = self._loader.members[chosen.to(self._loader.members.device)]
        self._loader.batch_size = -(-len(chosen) // len(self._loader))
        self.images = len(chosen)

    def held_out(self, module: Any) -> Iterator[tuple[tuple[Tensor, Tensor], int, int]]:
        """Images and labels of this process."""
        data = self._data
        for number, stored in enumerate(self._loader):
            yield data.model_input(stored, data.eval_transforms, module.dtype, self._device), number, 0


class OwnData:
    """The training data of an `ImageDataModule`."""

    def __init__(self, trainer: pl.Trainer, data: ImageDataModule, stream: Stream) -> None:
        self._trainer, self._data, self._stream = trainer, data, stream
        self.seed = data.seed

    @property
    def samples(self) -> int:
        """Number of training samples."""
        return self._stream.samples

    def size(self, step: int) -> int:
        """Number of samples of a step, by the run's own stream."""
        return self._stream.size(step)

    def steps(self, step: int) -> int:
        """Number of steps in a step's pass, by the run's own stream."""
        return self._stream.steps_in(self._stream.place(step)[0])

    def batches(self, size: int | BatchSizes | None, seed: int, whole: bool) -> Batches:
        """Batches of the same samples by another stream."""
        size = self._data.batch_size if size is None else size
        return OwnBatches(
            self._trainer, self._data, Stream(self._stream.samples, size, seed, whole or self._data.drop_last)
        )

    def kept(self, images: int) -> Kept:
        """Some validation images."""
        return OwnKept(self._trainer, self._data, images)


class OwnLearner:
    """A copy of an `ImageClassifier`, which trains in its chunks, and draws as one process does."""

    def __init__(self, trainer: pl.Trainer) -> None:
        self._trainer = trainer
        self.module: Any = copy_of_module(trainer)
        self.module.train()
        self.optimizer = cast(Optimizer, self.module.configure_optimizers())
        self.optimizer.load_state_dict(copy.deepcopy(trainer.optimizers[0].state_dict()))
        self.ratios = [group["lr_ratio"] for group in self.optimizer.param_groups]
        together = trainer.world_size > 1 and self.module.micro_batch_size is None
        self._share = share_dropout(self.module) if together else None

    def train(self, batches: Batches, number: int, scale: Scale, settle: Settle) -> tuple[Tensor, float]:
        """The gradient of a step's mean loss over the whole batch; the loss is a sum over rows, float64."""
        device, rank = self._trainer.strategy.root_device, self._trainer.global_rank
        world, places = self._trainer.world_size, batches.places(number)
        if self._share is not None and places is not None:
            self._share.take(*places, device)
            rank = 0
        seed_generators(step_key(batches.seed, number, rank), device)
        self.optimizer.zero_grad()
        loss_sum: Tensor = self.module.train_totals.loss_sum.zero_()

        def backward(loss: Tensor, rows: float, last: bool) -> None:
            scale(loss / rows).backward()

        with self._trainer.precision_plugin.train_step_context():
            batch = batches.batch(number, self.module)
            rows = batches.rows(number) or len(batch[1]) * world
            self.module.accumulate(batch, rows / world, backward, self.module.train_totals)
        settle()
        return loss_sum, rows

    def before_step(self) -> None:
        """Clip the gradient, if the run does."""
        self.module.clip_gradient()

    def held_out(self, batches: HeldOut) -> dict[str, float]:
        """Loss, accuracy and error over all processes."""
        held = batches.held_out(self.module)
        if held is None:
            return {}
        self._evaluate(held)
        return cast(dict[str, float], self.module.evaluated())

    def held_out_loss(self, kept: Kept) -> Tensor:
        """Mean loss over all processes; the device is not waited for."""
        held = kept.held_out(self.module)
        assert held is not None
        self._evaluate(held)
        totals = self.module.eval_totals
        sums = torch.stack([totals.loss_sum.double(), totals.samples.double()])
        if self._trainer.world_size > 1:
            torch.distributed.all_reduce(sums)
        return sums[0] / sums[1]

    def _evaluate(self, held: Iterator[tuple[Any, int, int]]) -> None:
        """Fill the module's sums with these batches, and with nothing that was copied from the run."""
        self.module.eval_totals.reset()
        self.module.eval()
        with torch.inference_mode(), self._trainer.precision_plugin.val_step_context():
            for batch, _, _ in held:
                self.module.evaluate(batch)
        self.module.train()
