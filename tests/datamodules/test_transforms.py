"""Each transform: the slow reference's bits, the right statistics, refusals that say what to do."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from datamodules import transforms
from datamodules.batch import Batch
from datamodules.transforms import (
    BatchTransform,
    Copies,
    CutMix,
    Cutout,
    GreyToRGB,
    MixUp,
    Normalize,
    Pad,
    Pipeline,
    RandomCrop,
    RandomHorizontalFlip,
    Resize,
    RowTransform,
    horizontal_flip,
)
from tests.datamodules import per_image
from tests.datamodules.conftest import MEAN, STD, assert_same_bits, batch_of, draws, pixels

SHAPES = [(28, 28, 1), (32, 32, 3), (8, 8, 1), (7, 11, 3), (9, 6, 4), (5, 5, 2)]


def apply(transform: RowTransform, batch: Batch) -> torch.Tensor:
    before = batch.images.clone()
    after = Pipeline([transform], 0)(batch).images
    assert torch.equal(batch.images, before), "a transform must leave its input alone"
    return after


# Against the slow reference, to the bit


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("padding", "fill"), [(0, 0), (1, 0), (4, 0), (3, 200), (40, 7)])
def test_crop(shape, padding, fill):
    batch = batch_of(shape)
    drawn = [[per_image.below(w, 2 * padding + 1) for w in row] for row in draws("RandomCrop", batch, 2)]
    slow = [
        per_image.crop(image, top, left, padding, fill)
        for image, (top, left) in zip(pixels(batch.images), drawn, strict=True)
    ]
    assert_same_bits(apply(RandomCrop(padding, fill), batch), slow)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("p", [0.0, 0.5, 1.0])
def test_flip(shape, p):
    batch = batch_of(shape, rows=12)
    flipped = [word < p * 2**32 for (word,) in draws("RandomHorizontalFlip", batch, 1)]
    assert any(flipped) == (p > 0) and all(flipped) == (p == 1)
    slow = [per_image.flip(image, its) for image, its in zip(pixels(batch.images), flipped, strict=True)]
    assert_same_bits(apply(RandomHorizontalFlip(p), batch), slow)


@pytest.mark.parametrize("dtype", [torch.float32, torch.int32, torch.int16])
def test_flip_of_other_types(dtype):
    images = batch_of((7, 11, 3)).images.to(dtype)
    flipped = torch.arange(6) % 2 == 0
    slow = [per_image.flip(image, bool(its)) for image, its in zip(pixels(images), flipped, strict=True)]
    assert_same_bits(horizontal_flip(images, flipped), slow)


@pytest.mark.parametrize("shape", SHAPES)
def test_normalize(shape):
    batch = batch_of(shape)
    mean, std = MEAN[: shape[2]], STD[: shape[2]]
    assert_same_bits(
        apply(Normalize(mean, std), batch), [per_image.normalize(i, mean, std) for i in pixels(batch.images)]
    )


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [1, 2, 5, 16, 99])
def test_cutout(shape, size):
    batch = batch_of(shape)
    batch.images = Normalize(MEAN[: shape[2]], STD[: shape[2]]).apply(batch.images, torch.empty(0))
    slow = [
        per_image.cutout(image, per_image.below(y, shape[0]), per_image.below(x, shape[1]), size)
        for image, (y, x) in zip(pixels(batch.images), draws("Cutout", batch, 2), strict=True)
    ]
    assert_same_bits(apply(Cutout(size), batch), slow)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [11, 32, 33])
def test_pad(shape, size):
    batch = batch_of(shape)
    if max(shape[:2]) > size:
        with pytest.raises(ValueError, match="Resize can shrink"):
            apply(Pad(size), batch)
        return
    assert_same_bits(apply(Pad(size), batch), [per_image.pad(image, size) for image in pixels(batch.images)])


@pytest.mark.parametrize("shape", SHAPES[2:])
@pytest.mark.parametrize("size", [1, 4, 8, 13, 32])
def test_resize(shape, size):
    batch = batch_of(shape, rows=2)
    assert_same_bits(apply(Resize(size), batch), [per_image.resize(image, size) for image in pixels(batch.images)])


def test_resize_of_mnist_to_224_is_torchs_bilinear_to_one_level():
    batch = batch_of((28, 28, 1), rows=3)
    floats = F.interpolate(batch.images.float(), (224, 224), mode="bilinear")
    assert (apply(Resize(224), batch).float() - floats).abs().max() <= 0.51


def test_grey_to_rgb():
    batch = batch_of((28, 28, 1))
    assert_same_bits(apply(GreyToRGB(), batch), [per_image.grey_to_rgb(image) for image in pixels(batch.images)])


def test_plain_contiguous_images_do_as_well():
    batch = batch_of((7, 11, 3))
    plain = replace(batch, images=batch.images.contiguous())
    chain = [RandomCrop(2), RandomHorizontalFlip(), Normalize(MEAN[:3], STD[:3]), Cutout(4)]
    assert torch.equal(Pipeline(chain, 0)(batch).images, Pipeline(chain, 0)(plain).images)


# Statistics: fixed seeds, so that these never flicker


def test_crop_offsets_are_uniform():
    rows = 20_000
    coordinates = torch.arange(1, 10, dtype=torch.uint8)  # of 9 x 9, padded by 4: the centre names the offset
    images = (coordinates[:, None] * 16 + coordinates).expand(rows, 1, 9, 9)
    batch = Batch(images, torch.zeros(rows, dtype=torch.int64), 0, np.arange(rows))
    centres = Pipeline([RandomCrop(4)], 0)(batch).images[:, 0, 4, 4].long()
    counts = torch.bincount((centres // 16 - 1) * 9 + centres % 16 - 1, minlength=81).double()
    chi_square = ((counts - rows / 81) ** 2 / (rows / 81)).sum().item()
    assert len(counts) == 81 and chi_square < 80 + 4 * 160**0.5


def test_half_are_flipped():
    rows = 20_000
    images = torch.tensor([1, 2], dtype=torch.uint8).expand(rows, 1, 1, 2)
    batch = Batch(images, torch.zeros(rows, dtype=torch.int64), 0, np.arange(rows))
    flipped = Pipeline([RandomHorizontalFlip()], 0)(batch).images[:, 0, 0, 0] == 2
    assert abs(flipped.double().mean().item() - 0.5) < 0.011


@pytest.mark.parametrize("size", [1, 2, 4, 5, 7])
def test_cutout_of_an_even_size_is_the_published_code_s(size):
    """Of an odd size that code hides one row and one column less, the last ones."""

    def published(centre: int, side: int, length: int) -> set[int]:
        return set(range(np.clip(centre - length // 2, 0, side), np.clip(centre + length // 2, 0, side)))

    batch = Batch(torch.ones(200, 1, 9, 9), torch.zeros(200, dtype=torch.int64), 0, np.arange(200))
    hidden = apply(Cutout(size), batch)[:, 0] == 0
    for mask, words in zip(hidden, draws("Cutout", batch, 2), strict=True):
        for axis, word in enumerate(words):
            centre, seen = per_image.below(word, 9), set(mask.any(1 - axis).nonzero().flatten().tolist())
            more = {centre + size // 2} & set(range(9)) if size % 2 else set()
            assert seen == published(centre, 9, size) | more


def test_cutout_16_masks_a_fifth_of_cifar():
    rows = 10_000
    batch = Batch(torch.ones(rows, 1, 32, 32), torch.zeros(rows, dtype=torch.int64), 0, np.arange(rows))
    hidden = 1 - Pipeline([Cutout(16)], 0)(batch).images
    assert abs(hidden.double().mean().item() - 0.191) < 0.002
    assert hidden[:, :, 16, 16].mean() > 2 * hidden[:, :, 0, 0].mean(), "clipped at the border"


# Refusals


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RandomCrop(-1), "padding must not be negative, got -1"),
        (lambda: RandomCrop(4, 256), "fill must lie in"),
        (lambda: RandomHorizontalFlip(1.5), "p must lie in"),
        (lambda: Cutout(0), "size must be at least 1, got 0"),
        (lambda: Pad(0), "size must lie in"),
        (lambda: Resize(-3), "size must lie in"),
        (lambda: Normalize([0.5], [0.5, 0.5]), "std must have one value per channel"),
        (lambda: Normalize([0.5], [0.0]), "std must be above 0"),
        (lambda: Normalize([], []), "mean must have at least one value"),
        (lambda: Pipeline([], 0, 0), "rows_per_part must be at least 1"),
        (lambda: apply(Normalize([0.5], [0.5]), batch_of((8, 8, 3))), "mean must have one value per channel"),
        (lambda: apply(GreyToRGB(), batch_of((8, 8, 3))), "GreyToRGB takes images of one channel, got 3"),
        (lambda: apply(Cutout(4), batch_of((8, 8, 3))), "place it after Normalize"),
        (lambda: Resize(4).apply(torch.zeros(1, 1, 8, 8), torch.empty(0)), "place it before Normalize"),
    ],
)
def test_refusals_name_the_argument_and_the_remedy(make, message):
    with pytest.raises(ValueError, match=message) as error:
        make()
    assert "\n" not in str(error.value)


# On a GPU

EACH = [Copies(3), CutMix(), Cutout(9), GreyToRGB(), MixUp(), Normalize(MEAN[:1], STD[:1]), Pad(33), RandomCrop(4),
        RandomHorizontalFlip(), Resize(40)]  # fmt: skip


def test_each_transform_is_there_to_be_tried_on_a_gpu() -> None:
    exported = (getattr(transforms, name) for name in transforms.__all__)
    kinds = {kind for kind in exported if isinstance(kind, type) and not getattr(kind, "__abstractmethods__", ())}
    assert kinds - {Pipeline} == {type(transform) for transform in EACH}


@pytest.mark.gpu
@pytest.mark.parametrize("transform", EACH, ids=lambda transform: type(transform).__name__)
def test_a_gpu_gives_the_bits_of_a_cpu_and_never_waits(transform: BatchTransform) -> None:
    batch = replace(batch_of((28, 28, 1), rows=300), samples=300, classes=300)
    before = [Normalize(MEAN[:1], STD[:1])] if transform.after_normalize else []
    expected = Pipeline([*before, transform], 0)(batch)
    there = replace(batch, images=batch.images.cuda(), labels=batch.labels.cuda())
    Pipeline([*before, transform], 0)(there)  # the first call makes the tables
    torch.cuda.set_sync_debug_mode("error")
    try:
        result = Pipeline([*before, transform], 0)(there)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert result.images.is_contiguous(memory_format=torch.channels_last)
    for found, wanted in ((result.images, expected.images), (result.labels, expected.labels)):
        assert found.cpu().contiguous().numpy().tobytes() == wanted.contiguous().numpy().tobytes()
