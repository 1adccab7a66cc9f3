import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from datamodules.batch import Batch
from datamodules.draws import words
from datamodules.transforms import (
    BatchTransform,
    Cutout,
    GreyToRGB,
    Normalize,
    Pad,
    Pipeline,
    RandomCrop,
    RandomHorizontalFlip,
    Resize,
    RowTransform,
    _parts,
    horizontal_flip,
)
from tests.datamodules import per_image

SHAPES = [(28, 28, 1), (32, 32, 3), (8, 8, 1), (7, 11, 3), (9, 6, 4), (5, 5, 2)]
MEAN, STD = [0.4914, 0.4822, 0.4465, 0.3], [0.2470, 0.2435, 0.2616, 0.2]


def batch_of(shape: tuple[int, int, int], rows: int = 6, step: int = 3) -> Batch:
    pixels = np.random.default_rng(rows).integers(0, 256, (rows, *shape), np.uint8)
    pixels.flat[0], pixels.flat[-1] = 0, 255
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    return Batch(images, torch.arange(rows), step, np.arange(rows))


def pixels(images: torch.Tensor) -> np.ndarray:
    return images.permute(0, 2, 3, 1).numpy()


def draws(name: str, batch: Batch, count: int, seed: int = 0) -> list[list[int]]:
    return words(seed, name, batch.step, batch.places, batch.copies, count).tolist()


def assert_same_bits(fast: torch.Tensor, slow: list[np.ndarray]) -> None:
    assert fast.is_contiguous(memory_format=torch.channels_last)
    expected = np.stack(slow)
    assert fast.shape == (len(expected), expected.shape[3], *expected.shape[1:3])
    assert pixels(fast).dtype == expected.dtype
    assert pixels(fast).tobytes() == expected.tobytes()


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


# The whole pipeline

CHAIN = [RandomCrop(4), RandomHorizontalFlip(), Normalize(MEAN[:3], STD[:3]), Cutout(16)]


def slow_chain(batch: Batch, seed: int) -> list[np.ndarray]:
    crops, flips, holes = (
        draws(name, batch, count, seed)
        for name, count in (("RandomCrop", 2), ("RandomHorizontalFlip", 1), ("Cutout", 2))
    )
    slow = []
    for image, crop, (flip,), hole in zip(pixels(batch.images), crops, flips, holes, strict=True):
        cropped = per_image.crop(image, *(per_image.below(word, 9) for word in crop), padding=4)
        normal = per_image.normalize(per_image.flip(cropped, flip < 2**31), MEAN[:3], STD[:3])
        slow.append(per_image.cutout(normal, *(per_image.below(word, 32) for word in hole), size=16))
    return slow


def test_chain_is_the_reference_to_the_bit():
    batch = batch_of((32, 32, 3), rows=24, step=12_345)
    assert_same_bits(Pipeline(CHAIN, 7, rows_per_part=5)(batch).images, slow_chain(batch, 7))


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("rows_per_part", [1, 7, 64, 100, 101])
@pytest.mark.usefixtures("two_threads")
def test_parts_and_threads_change_nothing(rows_per_part, threads):
    batch = batch_of((32, 32, 3), rows=100)
    whole = Pipeline(CHAIN, 0, 1000)(batch)
    torch.set_num_threads(threads)
    parts = Pipeline(CHAIN, 0, rows_per_part)(batch)
    assert torch.get_num_threads() == threads, "the threads' own setting must not leak"
    assert torch.equal(parts.images, whole.images)
    assert parts.images.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.usefixtures("two_threads")
def test_an_error_in_a_part_is_raised():
    class Picky(RowTransform):
        def apply(self, images, words):
            if (images == 255).any():
                raise ValueError("found a white pixel")
            return images

    batch = batch_of((8, 8, 1))
    batch.images.zero_()[4, 0, 0, 0] = 255
    with pytest.raises(ValueError, match="found a white pixel"):
        Pipeline([Picky()], 0, rows_per_part=1)(batch)


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
def test_threads_work_in_inference_mode():
    batch = batch_of((32, 32, 3), rows=20)
    with torch.inference_mode():
        images = Pipeline(CHAIN, 0, rows_per_part=3)(batch).images
    assert torch.equal(images, Pipeline(CHAIN, 0)(batch).images)


@pytest.mark.usefixtures("two_threads")
def test_threads_start_again_where_they_are_gone():
    pipeline, batch = Pipeline(CHAIN, 0, rows_per_part=3), batch_of((32, 32, 3), rows=20)
    expected = pipeline(batch).images
    _parts._pool.cache_clear()  # what a child does; the fork itself would warn of the threads
    assert torch.equal(pipeline(batch).images, expected)


@pytest.mark.parametrize("world_size", [2, 4])
def test_rank_slices_are_rows_of_the_whole(world_size):
    batch = batch_of((32, 32, 3), rows=50)
    whole = Pipeline(CHAIN, 0)(batch).images
    for rank in range(world_size):
        own = slice(rank, None, world_size)
        part = Batch(batch.images[own], batch.labels[own], batch.step, batch.places[own])
        assert torch.equal(Pipeline(CHAIN, 0)(part).images, whole[own])


def test_batch_sizes_share_their_first_rows():
    batch = batch_of((32, 32, 3), rows=50)
    short = Batch(batch.images[:20], batch.labels[:20], batch.step, batch.places[:20])
    assert torch.equal(Pipeline(CHAIN, 0)(short).images, Pipeline(CHAIN, 0)(batch).images[:20])


def test_step_seed_and_copy_each_draw_anew_and_again_the_same():
    batch = batch_of((32, 32, 3), rows=50)
    results = [
        Pipeline(CHAIN, 0)(batch),
        Pipeline(CHAIN, 1)(batch),
        Pipeline(CHAIN, 0)(replace(batch, step=4)),
        Pipeline(CHAIN, 0)(replace(batch, copies=np.ones(50, np.int64))),
    ]
    for i, one in enumerate(results):
        for other in results[:i]:
            same = [torch.equal(a, b) for a, b in zip(one.images, other.images, strict=True)]
            assert sum(same) <= 1
    assert torch.equal(Pipeline(CHAIN, 0)(batch).images, results[0].images)


def test_two_of_a_kind_draw_apart_and_others_do_not_move_them():
    batch = batch_of((32, 32, 3), rows=50)
    normal = CHAIN[2]
    one = Pipeline([normal, Cutout(8)], 0)(batch).images == 0
    two = Pipeline([normal, Cutout(8), Cutout(8)], 0)(batch).images == 0
    assert two.sum() > 1.3 * one.sum() and bool((two | ~one).all())
    alone = Pipeline([RandomCrop(4)], 0)(batch).images
    beside = Pipeline([Pad(32), RandomCrop(4)], 0)(batch).images
    assert torch.equal(alone, beside)


class Repeat(BatchTransform):
    """Each row m times: what batch augmentation will insert."""

    def __init__(self, m: int) -> None:
        self.m = m

    def __call__(self, batch: Batch, seed: int, name: str) -> Batch:
        return replace(
            batch,
            images=batch.images.repeat_interleave(self.m, 0),
            labels=batch.labels.repeat_interleave(self.m),
            places=np.repeat(batch.places, self.m),
            copies=np.tile(np.arange(self.m), len(batch)),
        )


def test_an_inserted_transform_may_change_the_rows():
    batch = batch_of((32, 32, 3), rows=10)
    pipeline = Pipeline(CHAIN, 0)
    once = pipeline(batch)
    pipeline.transforms.insert(0, Repeat(4))
    result = pipeline(batch)
    assert len(result) == 40 and result.labels.tolist() == np.repeat(np.arange(10), 4).tolist()
    assert torch.equal(result.images[::4], once.images), "copy 0 is what the sample was without copies"
    assert not torch.equal(result.images[1::4], once.images)
    assert len(batch) == 10 and batch.copies is None


def test_empty_list_and_empty_batch():
    batch = batch_of((32, 32, 3))
    assert Pipeline([], 0)(batch) is batch
    grey = batch_of((28, 28, 1))
    nothing = Batch(grey.images[:0], grey.labels[:0], 0, grey.places[:0])
    for first in (Pad(32), Resize(32)):
        images = Pipeline([first, GreyToRGB(), *CHAIN], 0)(nothing).images
        assert images.shape == (0, 3, 32, 32) and images.dtype == torch.float32


def test_labels_places_and_step_pass_through_and_the_given_batch_stays():
    batch = batch_of((32, 32, 3))
    before = batch.images.clone()
    result = Pipeline(CHAIN, 0)(batch)
    assert result.labels is batch.labels and result.places is batch.places and result.step == batch.step
    assert batch.images.dtype == torch.uint8 and torch.equal(batch.images, before)


def test_copies_and_pickles():
    batch = batch_of((32, 32, 3), rows=100)
    pipeline = Pipeline(CHAIN, 0, rows_per_part=10)
    expected = pipeline(batch).images
    for other in (copy.deepcopy(pipeline), pickle.loads(pickle.dumps(pipeline))):
        assert torch.equal(other(batch).images, expected)


def test_tables_made_in_inference_mode_serve_in_training():
    batch = batch_of((13, 13, 3))
    with torch.inference_mode():
        expected = Pipeline(CHAIN, 0)(batch).images
    images = Pipeline(CHAIN, 0)(batch).images
    weight = torch.ones(3, 3, 1, 1, requires_grad=True)
    F.conv2d(images, weight).sum().backward()
    assert torch.equal(images, expected) and weight.grad is not None


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
        (lambda: Pad(0), "size must be at least 1, got 0"),
        (lambda: Resize(-3), "size must be at least 1, got -3"),
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


@pytest.mark.gpu
def test_a_gpu_gives_the_same_bits_and_never_waits():
    batch = batch_of((28, 28, 1), rows=300)
    chain = [Resize(32), GreyToRGB(), *CHAIN]
    expected = Pipeline(chain, 0)(batch).images
    there = replace(batch, images=batch.images.cuda())
    Pipeline(chain, 0)(there)  # the first call makes the tables
    torch.cuda.set_sync_debug_mode("error")
    try:
        images = Pipeline(chain, 0)(there).images
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert images.cpu().numpy().tobytes() == expected.numpy().tobytes()
