"""MixUp and CutMix as plain loops over images, and the lists of transforms that tests hold against them."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from scipy.special import betaincinv

from datamodules.batch import Batch
from datamodules.transforms import (
    BatchTransform,
    CutMix,
    MixUp,
    Normalize,
    RandomCrop,
    RandomHorizontalFlip,
)
from tests.datamodules import per_image
from tests.datamodules.conftest import MEAN, STD, batch_of, pixels
from timeline.draws import words

BEFORE = [RandomCrop(1), RandomHorizontalFlip(), Normalize(MEAN[:3], STD[:3])]
CLASSES = 7


def whole(shape: tuple[int, int, int] = (9, 7, 3), rows: int = 12, step: int = 5) -> Batch:
    """A global batch as a loader gives it to the only process."""
    batch = batch_of(shape, rows, step)
    return replace(batch, labels=torch.arange(rows) % CLASSES, samples=rows, classes=CLASSES)


class Slow:
    """The pipeline crop, flip, normalise and then some mixing transforms, for one image at a time, by recursion."""

    def __init__(self, batch: Batch, mixing: list[tuple[str, float, float]], seed: int) -> None:
        self.stored, self.labels, self.step, self.seed = pixels(batch.images), batch.labels.tolist(), batch.step, seed
        self.mixing, self.samples = mixing, len(batch)

    def words(self, purpose: str, place: int, copy: int, count: int) -> list[int]:
        return words(self.seed, purpose, self.step, np.array([place]), np.array([copy]), count)[0].tolist()

    def __call__(self, place: int, copy: int = 0, mixed: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Image and label after the first `mixed` mixing transforms, after all by default."""
        mixed = len(self.mixing) if mixed is None else mixed
        if mixed == 0:
            return self.alone(place, copy), np.eye(CLASSES, dtype=np.float32)[self.labels[place]]
        name, alpha, p = self.mixing[mixed - 1]
        partners = self.partners(name)
        image, label = self(place, copy, mixed - 1)
        other, its_label = self(partners[place], copy, mixed - 1)
        height, width, _ = image.shape
        chance, ratio_word, *centre = self.words(name, place, copy, 2 + 2 * name.startswith("CutMix"))
        ratio = float(betaincinv(alpha, alpha, (ratio_word + 0.5) / 2**32)) if chance < p * 2**32 else 1.0
        if name.startswith("MixUp"):
            kept = np.float32(ratio)
            return per_image.mixup(image, other, kept), per_image.mixed_label(label, its_label, kept)
        lengths = zip(centre, (height, width), strict=True)
        box = per_image.cut_box(ratio, *(per_image.below(word, length) for word, length in lengths), height, width)
        area = (box[0][1] - box[0][0]) * (box[1][1] - box[1][0])
        kept = np.float32(1 - area / (height * width))
        return per_image.cutmix(image, other, box), per_image.mixed_label(label, its_label, kept)

    @cache  # noqa: B019
    def partners(self, name: str) -> list[int]:
        return sorted(range(self.samples), key=lambda place: self.words(f"{name}, partners", place, 0, 1))

    def alone(self, place: int, copy: int) -> np.ndarray:
        crop, (flipped,) = self.words("RandomCrop", place, copy, 2), self.words("RandomHorizontalFlip", place, copy, 1)
        cropped = per_image.crop(self.stored[place], *(per_image.below(word, 3) for word in crop), padding=1)
        return per_image.normalize(per_image.flip(cropped, flipped < 2**31), MEAN[:3], STD[:3])


LISTS: list[tuple[list[BatchTransform], list[tuple[str, float, float]]]] = [
    ([MixUp()], [("MixUp", 0.2, 1.0)]),
    ([MixUp(1.5, p=0.5)], [("MixUp", 1.5, 0.5)]),
    ([CutMix()], [("CutMix", 1.0, 1.0)]),
    ([CutMix(0.3, p=0.7)], [("CutMix", 0.3, 0.7)]),
    ([MixUp(1.0), CutMix()], [("MixUp", 1.0, 1.0), ("CutMix", 1.0, 1.0)]),
    ([CutMix(), MixUp(1.0, 0.5), MixUp(1.0)], [("CutMix", 1.0, 1.0), ("MixUp", 1.0, 0.5), ("MixUp 2", 1.0, 1.0)]),
]
every_list = pytest.mark.parametrize(
    ("transforms", "slow"), LISTS, ids=["MixUp", "half MixUp", "CutMix", "most CutMix", "two", "three"]
)
