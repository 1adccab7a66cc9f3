"""The pipeline of transforms: neither parts, threads, ranks, batch size nor device change a bit."""

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from datamodules.batch import Batch
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
)
from tests.datamodules import per_image
from tests.datamodules.conftest import MEAN, STD, assert_same_bits, batch_of, draws, pixels

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
