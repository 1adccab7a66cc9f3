"""Cadence's batch transforms on anybody's batches, (images, labels), in `on_after_batch_transfer`."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from checks.arguments import Refusal
from datamodules.batch import Batch
from datamodules.transforms import BatchTransform, Pipeline
from datamodules.transforms._mixing import Mixing
from timeline.keys import rehearsal_seed


class Augment:
    """Transforms of a batch on the device, each image with draws that follow from (seed, step, place in the batch).

        def on_after_batch_transfer(self, batch, dataloader_idx):
            return self.augment(batch, self.global_step) if self.training else batch

    Of several processes each names its rank, so that their draws differ; a transform that mixes images (MixUp, CutMix)
    takes partners from the process's own batch.

    Args:
        transforms: the transforms, in their order, for images that are normalised already.
        seed: seed of all draws.
        classes: number of classes, which MixUp and CutMix need; their labels are shares of the classes.

    Raises:
        ValueError: a transform mixes images, and `classes` is missing.
    """

    def __init__(self, transforms: Sequence[BatchTransform], seed: int = 0, classes: int | None = None) -> None:
        if classes is None and any(isinstance(transform, Mixing) for transform in transforms):
            raise ValueError("classes is missing: MixUp and CutMix make labels of shares of so many classes")
        self.transforms, self.seed, self.classes = list(transforms), seed, classes

    def __call__(self, batch: Any, step: int, rank: int = 0) -> tuple[Tensor, Tensor]:
        """The transformed batch.

        Args:
            batch: images, float (batch, channels, height, width), and labels, int64 (batch,).
            step: number of the step.
            rank: number of this process.

        Returns:
            Images (rows, channels, height, width), with as many rows as the transforms make; labels (rows,), or once
            mixed float32 (rows, classes), whose rows sum to 1.

        Raises:
            ValueError: the batch is another one.
        """
        images, labels = _checked(batch)
        for transform in self.transforms:
            transform.shape_after(images.shape[1], min(images.shape[2:]))
        rows = len(images)
        seed = self.seed if rank == 0 else rehearsal_seed(self.seed, rank)
        stored = Batch(
            images.contiguous(memory_format=torch.channels_last),
            labels,
            step,
            np.arange(rows),
            None,
            rows,
            self.classes,
        )
        done = Pipeline(self.transforms, seed)(stored)
        return done.images, done.labels


def _checked(batch: Any) -> tuple[Tensor, Tensor]:
    if isinstance(batch, list | tuple) and len(batch) == 2 and all(isinstance(part, Tensor) for part in batch):
        images, labels = batch
        if images.ndim == 4 and images.is_floating_point() and labels.ndim == 1 and len(labels) == len(images):
            return images, labels
    raise Refusal(
        "batches must be pairs of float images (batch, channels, height, width) and labels (batch,) to be augmented: "
        "use datamodules.Augment in on_after_batch_transfer for others"
    )
