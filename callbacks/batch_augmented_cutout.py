"""Several copies of each sample in a batch, each with its own crop, flip and cutout."""

from typing import TYPE_CHECKING, Literal, cast

import pytorch_lightning as pl
import torch

from callbacks.augment_hook import put_in, take_out
from callbacks.run_record import publish, run_folder
from datamodules.augment import Augment
from datamodules.image_datamodule import ImageDataModule
from datamodules.transforms import BatchTransform, Copies, Cutout, Normalize
from trainer.access import datamodule_of
from trainer.stock_loaders import seed_of_run

if TYPE_CHECKING:
    from figures import Figure

SHOWN_SAMPLES = 2
SHOWN_COPIES = 6


class BatchAugmentedCutout(pl.Callback):
    """Batch augmentation (Hoffer et al. 2019, arXiv 1901.09335, its update rule) with cutout (DeVries and Taylor 2017).

    Each of the B samples of a step comes M times, each copy with its own draw of whatever random transforms
    `data.augment` lists and of a cutout; an update is eta / (M B) times the sum of M B gradients. The copies go first
    into the datamodule's training transforms, the cutout last, and both leave again when the fit is over.

    - Steps an epoch, and samples seen, stay what they are for M = 1; a step processes M times as many images.
    - The learning rate is not scaled with M.
    - Batch norm's statistics are those of whatever one forward pass holds: all M B images of a process, or a chunk of
      `model.micro_batch_size` of them. In the order `copy_major` each chunk sees as many samples as it can, so that
      with chunks of B each sees every sample once; in `sample_major` a chunk of B holds B / M samples.
    - A copy's draws are keyed by (seed, step, place in the global batch, copy): neither order, process count nor M
      changes them.

    It logs no keys. `samples.png` shows two images of the first step before and after, with up to six copies; the
    cutout's zeros appear as the mean colour that they stand for.

    Args:
        copies: M, of each sample; 1 is plain cutout.
        size: side of the cutout's square in pixels: 16 for CIFAR-10.
        cutout: false gives batch augmentation by `data.augment` alone.
        order: how the copies lie in the batch.
    """

    def __init__(
        self,
        copies: int = 1,
        size: int = 16,
        cutout: bool = True,
        order: Literal["copy_major", "sample_major"] = "copy_major",
    ) -> None:
        self._copies = Copies(copies, order)
        self._hole = Cutout(size) if cutout else None

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Put the transforms in; for somebody else's data behind the module's `on_after_batch_transfer`.

        Raises:
            ValueError: the datamodule has a cutout already, or images no larger than `size`, or a hook of its own.
        """
        if stage != "fit":
            return
        if not isinstance(datamodule_of(trainer), ImageDataModule):
            take_out(pl_module)
            given = [self._copies, *([] if self._hole is None else [self._hole])]
            put_in(trainer, pl_module, Augment(given, seed_of_run()), type(self).__name__)
            return
        transforms = _transforms(trainer)
        self._take_out(transforms)  # what a fit that was broken off may have left
        if self._hole is not None:
            self._check_hole(self._hole, _images(trainer))
            transforms.append(self._hole)
        transforms.insert(0, self._copies)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Show two samples of the step to come, unless the run has shown them before it was resumed."""
        folder = run_folder(trainer)
        own = isinstance(datamodule_of(trainer), ImageDataModule)
        if own and trainer.is_global_zero and folder is not None and not (folder / "samples.png").exists():
            publish(trainer, "samples", figure=samples_figure(_images(trainer), trainer.global_step))

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Take the transforms out."""
        if stage == "fit":
            self.on_exception(trainer, pl_module, None)

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException | None) -> None:
        """Take the transforms out: Lightning tears nothing down after an error or a stop."""
        take_out(pl_module)
        if isinstance(datamodule_of(trainer), ImageDataModule):
            self._take_out(_transforms(trainer))

    def _take_out(self, transforms: list[BatchTransform]) -> None:
        transforms[:] = [transform for transform in transforms if transform not in (self._copies, self._hole)]

    @staticmethod
    def _check_hole(hole: Cutout, data: ImageDataModule) -> None:
        if any(isinstance(transform, Cutout) for transform in data.train_transforms.transforms):
            raise ValueError("cutout is in data.augment already: take it out there, or set the callback's to false")
        hole.shape_after(data.in_channels, data.image_size)


def samples_figure(data: ImageDataModule, step: int) -> "Figure":
    """The first two of this process's samples of `step`, before and after the training transforms.

    Nothing is drawn but from (seed, step): what is shown is what that step trains on.
    """
    from figures.samples import before_and_after

    batch = data.train_dataloader().batch(step, most=SHOWN_SAMPLES)
    result = data.train_transforms(batch)
    pictures = _in_colour(result.images, data.train_transforms.transforms)
    after = []
    for place in batch.places[:SHOWN_SAMPLES]:
        rows = torch.from_numpy(result.places == place)
        after.append(pictures[rows][:SHOWN_COPIES])
    before = batch.images[:SHOWN_SAMPLES].permute(0, 2, 3, 1)
    labels = [data.classes[label] for label in batch.labels[:SHOWN_SAMPLES].tolist()]
    return before_and_after(before.cpu().numpy(), torch.stack(after).numpy(), labels)


def _in_colour(images: torch.Tensor, transforms: list[BatchTransform]) -> torch.Tensor:
    """Normalised images (rows, channels, height, width) as (rows, height, width, channels) in [0, 1], on the host."""
    normalize = next(transform for transform in transforms if isinstance(transform, Normalize))
    pixels = images.permute(0, 2, 3, 1).cpu().float()
    return (pixels * torch.tensor(normalize.std) + torch.tensor(normalize.mean)).clamp(0, 1)


def _images(trainer: pl.Trainer) -> ImageDataModule:
    return cast(ImageDataModule, datamodule_of(trainer))


def _transforms(trainer: pl.Trainer) -> list[BatchTransform]:
    return _images(trainer).train_transforms.transforms
