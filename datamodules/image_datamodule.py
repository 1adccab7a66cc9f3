"""`ImageDataModule`: a dataset as one array in memory, a stream of steps over it, and transforms on the device."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Literal, cast

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor

from checks.arguments import require_positive, require_seed, require_within
from datamodules.batch import Batch
from datamodules.loaders import EvalLoader, Store, TrainLoader
from datamodules.splits import stratified_split
from datamodules.transforms import MOST_PIXELS, BatchTransform, GreyToRGB, Normalize, Pad, Pipeline, Resize
from timeline.stream import Stream


class ImageDataModule(pl.LightningDataModule):
    """Base of all datasets.

    A subclass describes its images (attributes, of the class where they are known) and loads its arrays. A model is
    built for `in_channels`, `image_size` and `num_classes`, those of the images after the transforms.

    Args:
        batch_size: number of training samples in one optimizer step, over all processes.
        eval_batch_size: number of samples in one validation or test batch, over all processes.
        val_fraction: share of the training set held out for validation, stratified by class; 0 turns validation off.
        val: source of the validation images: `split` off the training set, or the `test` set itself (as some
            published runs did; the record of the run says so).
        split_seed: seed of the held-out split. Not the run's seed, so that runs with several seeds share one split.
        seed: seed of the order of the samples and of the augmentation; the command line sets it from
            `seed_everything`.
        drop_last: drop the last, short batch of each epoch.
        augment: batch transforms of the training images, in their order; those of normalised images (Cutout, MixUp,
            CutMix) run after normalisation, the others before.
        image_size: height and width of the model's images; the dataset's own by default.
        fit: way to `image_size`: `resize` (bilinear) or `pad` (zeros around).
        in_channels: number of channels of the model's images; 3 repeats grey images three times.
        device_resident: hold the whole dataset on the training device.
    """

    dataset: str
    native_size: int
    native_channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    classes: tuple[str, ...]

    def __init__(
        self,
        batch_size: int = 64,
        eval_batch_size: int = 512,
        val_fraction: float = 1 / 6,
        val: Literal["split", "test"] = "split",
        split_seed: int = 0,
        seed: int = 0,
        drop_last: bool = False,
        augment: list[BatchTransform] | None = None,
        image_size: int | None = None,
        fit: Literal["resize", "pad"] = "resize",
        in_channels: int | None = None,
        device_resident: bool = False,
    ) -> None:
        super().__init__()
        require_positive(batch_size=batch_size, eval_batch_size=eval_batch_size)
        require_within("[0, 1)", "0.2 holds out a fifth", val_fraction=val_fraction)
        if in_channels not in (None, self.native_channels, 3):
            raise ValueError(
                f"in_channels must be {self.native_channels} or 3 for {type(self).__name__}, got {in_channels}"
            )
        if image_size is not None:
            require_within(f"[1, {MOST_PIXELS}]", "224 is usual for large ones", image_size=image_size)
            if fit == "pad" and image_size < self.native_size:
                raise ValueError(f"image_size {image_size} is below the images' {self.native_size}: set fit to resize")
        require_seed(seed=seed, split_seed=split_seed)
        self.batch_size, self.eval_batch_size, self.drop_last = batch_size, eval_batch_size, drop_last
        self.val_fraction, self.val, self.split_seed, self.seed = val_fraction, val, split_seed, seed
        self.device_resident = device_resident
        self.image_size = image_size or self.native_size
        self.in_channels = in_channels or self.native_channels
        prepare = self._preparation(fit)
        before = [transform for transform in augment or [] if not transform.after_normalize]
        after = [transform for transform in augment or [] if transform.after_normalize]
        self.train_transforms = Pipeline([*prepare, *before, self.normalization(), *after], seed)
        self.eval_transforms = Pipeline([*prepare, self.normalization()], seed)
        self._check_shapes()
        self.stream: Stream | None = None
        self._stores: tuple[Store, Store] | None = None
        self._members: dict[str, np.ndarray] = {}

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.classes)

    @property
    def validates(self) -> bool:
        """Whether there is anything to validate on."""
        return self.val == "test" or self.val_fraction > 0

    def split(self, train_labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Places of the loaded training images that are trained on, and of those held out, both sorted, int64."""
        return stratified_split(train_labels, 0.0 if self.val == "test" else self.val_fraction, self.split_seed)

    @abstractmethod
    def load(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Train images, train labels, test images, test labels: uint8 (n, height, width, channels) and (n,)."""

    def setup(self, stage: str) -> None:
        """Load the arrays, split them, and make the stream of the training samples."""
        if self._stores is None:
            train_images, train_labels, test_images, test_labels = self.load()
            kept, held = self.split(np.asarray(train_labels))
            test = np.arange(len(test_labels))
            self._members = {"train": kept, "val": test if self.val == "test" else held, "test": test}
            self._stores = Store(train_images, train_labels), Store(test_images, test_labels)
            if self.device_resident and self.trainer is not None:
                device = self.trainer.strategy.root_device
                self._stores = self._stores[0].to(device), self._stores[1].to(device)
        self.stream = Stream(len(self._members["train"]), self.batch_size, self.seed, self.drop_last)

    def train_dataloader(self) -> TrainLoader:
        """Batches from the trainer's step on."""
        assert self.stream is not None
        world_size = self._process()[1]
        if self.batch_size < world_size:
            raise ValueError(f"batch_size {self.batch_size} is below the number of processes, {world_size}")
        return self.loader(self.stream, self._step, self.train_transforms)

    def loader(self, stream: Stream, first_step: Callable[[], int], transforms: Pipeline) -> TrainLoader:
        """This process's part of the training batches of any stream, as stored.

        Args:
            stream: samples of each step.
            first_step: function that gives the step to begin with.
            transforms: pipeline that the batches will go to.
        """
        assert self._stores is not None
        members, process = self._members["train"], self._process()
        return TrainLoader(self._stores[0], members, stream, first_step, *process, transforms, self.num_classes)

    def val_dataloader(self) -> EvalLoader:
        """The held-out part, or the test set with `val: test`."""
        return self.eval_loader("val")

    def test_dataloader(self) -> EvalLoader:
        """The test set."""
        return self.eval_loader("test")

    def eval_loader(self, split: str) -> EvalLoader:
        """The images of a split in its own order, not augmented: `train`, `val` or `test`."""
        assert self._stores is not None
        rank, world_size = self._process()
        store = self._stores[1 if split == "test" or (split == "val" and self.val == "test") else 0]
        return EvalLoader(store, self._members[split], self.eval_batch_size, rank, world_size)

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """Copy images, still uint8, and labels to the device."""
        batch.images = batch.images.to(device, non_blocking=True)
        batch.labels = batch.labels.to(device, non_blocking=True)
        return batch

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> tuple[Tensor, Tensor]:
        """The model's input, by the training transforms while the trainer trains, else by those of evaluation."""
        if self.trainer is None:
            return self.model_input(batch, self.eval_transforms)
        transforms = self.train_transforms if self.trainer.training else self.eval_transforms
        return self.model_input(batch, transforms, cast(torch.dtype, self.trainer.lightning_module.dtype))

    def model_input(
        self,
        batch: Batch,
        transforms: Pipeline,
        dtype: torch.dtype = torch.float32,
        device: torch.device | None = None,
    ) -> tuple[Tensor, Tensor]:
        """(images, labels) of a stored batch: all that lies between a loader and a model, in runs and beside them.

        Args:
            batch: a loader's batch; with a `device`, moved there in place.
            transforms: pipeline to run, the one that the loader was given.
            dtype: type of the model's weights, which the images are cast to.
            device: device of the model; None where the batch is there already.

        Returns:
            Images, float (batch, channels, height, width); and labels as in `Batch`: int64 (batch,), or where the
            pipeline mixes samples float32 (batch, classes).
        """
        if device is not None:
            batch = self.transfer_batch_to_device(batch, device, 0)
        batch = transforms(batch)
        return batch.images.to(dtype), batch.labels

    def _step(self) -> int:
        return self.trainer.global_step if self.trainer is not None else 0

    def _process(self) -> tuple[int, int]:
        return (0, 1) if self.trainer is None else (self.trainer.global_rank, self.trainer.world_size)

    def normalization(self) -> Normalize:
        """The transform that brings the training images to mean 0 and deviation 1, for the model's channels."""
        grey_to_rgb = self.in_channels > self.native_channels
        repeat = self.in_channels if grey_to_rgb else 1
        return Normalize(list(self.mean) * repeat, list(self.std) * repeat)

    def _check_shapes(self) -> None:
        """Refuse transforms that cannot take the images that come to them, or that make others than the model takes."""
        shape = self.native_channels, self.native_size
        try:
            for transform in self.train_transforms.transforms:
                shape = transform.shape_after(*shape)
        except ValueError as error:
            raise ValueError(f"augment{'.' if str(error)[0].islower() else ': '}{error}") from error
        if shape != (self.in_channels, self.image_size):
            raise ValueError(
                f"augment: its images have {shape[0]} channels and a side of {shape[1]}, and the model is made for "
                f"{self.in_channels} and {self.image_size}: set data.in_channels and data.image_size instead"
            )

    def _preparation(self, fit: str) -> list[BatchTransform]:
        steps: list[BatchTransform] = []
        if self.image_size != self.native_size:
            steps.append(Pad(self.image_size) if fit == "pad" else Resize(self.image_size))
        if self.in_channels != self.native_channels:
            steps.append(GreyToRGB())
        return steps
