from dataclasses import replace

import numpy as np
import pytest
import torch

from datamodules.batch import Batch
from datamodules.transforms import Copies, Cutout, Normalize, Pipeline, RandomCrop, RandomHorizontalFlip
from tests.datamodules import per_image
from timeline.draws import words

MEAN, STD = [0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616]
CHAIN = [RandomCrop(4), RandomHorizontalFlip(), Normalize(MEAN, STD), Cutout(16)]
ORDERS = ["copy_major", "sample_major"]


def batch_of(rows: int, first: int = 0, stride: int = 1) -> Batch:
    pixels = np.random.default_rng(0).integers(0, 256, (rows, 32, 32, 3), np.uint8)
    return Batch(
        torch.from_numpy(pixels).permute(0, 3, 1, 2), torch.arange(rows) % 10, 4321, np.arange(rows) * stride + first
    )


def augmented(batch: Batch, copies: int, order: str, seed: int = 5) -> Batch:
    return Pipeline([Copies(copies, order), *CHAIN], seed, rows_per_part=7)(batch)


def slow(image: np.ndarray, place: int, copy: int, step: int, seed: int) -> np.ndarray:
    """One copy of one image, pixel by pixel, from integers drawn for it alone."""
    crop, flip, hole = (
        words(seed, name, step, np.array([place]), np.array([copy]), count)[0].tolist()
        for name, count in (("RandomCrop", 2), ("RandomHorizontalFlip", 1), ("Cutout", 2))
    )
    cropped = per_image.crop(image, *(per_image.below(word, 9) for word in crop), padding=4)
    normal = per_image.normalize(per_image.flip(cropped, flip[0] < 2**31), MEAN, STD)
    return per_image.cutout(normal, *(per_image.below(word, 32) for word in hole), size=16)


@pytest.mark.parametrize("order", ORDERS)
def test_every_copy_is_the_reference_to_the_bit(order: str) -> None:
    batch = batch_of(5, first=3, stride=2)
    result = augmented(batch, 4, order)
    images = batch.images.permute(0, 2, 3, 1).numpy()
    which = [(c, s) for c in range(4) for s in range(5)]
    which = which if order == "copy_major" else [(c, s) for s in range(5) for c in range(4)]
    expected = np.stack([slow(images[s], 3 + 2 * s, c, 4321, 5) for c, s in which])
    assert result.images.permute(0, 2, 3, 1).numpy().tobytes() == expected.tobytes()
    assert result.images.is_contiguous(memory_format=torch.channels_last)
    assert result.labels.tolist() == [s for _, s in which]
    assert result.places.tolist() == [3 + 2 * s for _, s in which]
    assert result.copies is not None and result.copies.tolist() == [c for c, _ in which]


def by_place_and_copy(batch: Batch) -> dict[tuple[int, int], bytes]:
    assert batch.copies is not None
    keys = zip(batch.places.tolist(), batch.copies.tolist(), strict=True)
    return dict(zip(keys, (image.contiguous().numpy().tobytes() for image in batch.images), strict=True))


def test_a_copy_is_the_same_whatever_the_order_the_number_and_the_rank() -> None:
    batch = batch_of(12)
    whole = by_place_and_copy(augmented(batch, 6, "copy_major"))
    assert len(set(whole.values())) == 72, "every copy has draws of its own"
    for order in ORDERS:
        for copies in (1, 3, 6):
            part = by_place_and_copy(augmented(batch, copies, order))
            assert len(part) == 12 * copies and all(whole[key] == image for key, image in part.items())
        for world_size in (2, 3):
            shares = [
                Batch(batch.images[r::world_size], batch.labels[r::world_size], 4321, batch.places[r::world_size])
                for r in range(world_size)
            ]
            together: dict[tuple[int, int], bytes] = {}
            for share in shares:
                together |= by_place_and_copy(augmented(share, 6, order))
            assert together == whole


def test_copy_0_is_the_sample_without_copies() -> None:
    batch = batch_of(6)
    alone = Pipeline(CHAIN, 5)(batch).images
    assert torch.equal(augmented(batch, 3, "sample_major").images[::3], alone)
    assert torch.equal(augmented(batch, 3, "copy_major").images[:6], alone)


def test_chunks_of_a_copy_major_batch_hold_every_sample() -> None:
    result = augmented(batch_of(8), 4, "copy_major")
    for start in range(0, 32, 8):
        assert sorted(result.places[start : start + 8]) == list(range(8))


def test_copies_of_copies_draw_apart() -> None:
    batch = batch_of(4)
    nested = Pipeline([Copies(2, "sample_major"), Copies(3, "sample_major"), *CHAIN], 5)
    result = nested(batch)
    assert nested.rows_per_sample == 6 and len(result) == 24
    assert torch.equal(result.images, augmented(batch, 6, "sample_major").images)


def test_rows_per_sample_is_the_product() -> None:
    assert Pipeline(CHAIN, 0).rows_per_sample == 1
    assert Pipeline([], 0).rows_per_sample == 1
    assert Pipeline([Copies(32), *CHAIN], 0).rows_per_sample == 32


def test_the_given_batch_and_an_empty_one() -> None:
    batch = batch_of(3)
    before = batch.images.clone()
    augmented(batch, 2, "copy_major")
    assert torch.equal(batch.images, before) and batch.copies is None and len(batch) == 3
    nothing = Batch(batch.images[:0], batch.labels[:0], 0, batch.places[:0])
    for order in ORDERS:
        result = augmented(nothing, 3, order)
        assert result.images.shape == (0, 3, 32, 32) and len(result.places) == 0


def test_images_are_uint8_when_they_are_copied() -> None:
    result = Copies(3)(batch_of(2), 0, "Copies")
    assert result.images.dtype == torch.uint8 and result.images.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Copies(0), "copies must lie in .*"),
        (lambda: Copies(2, "major"), "order must be copy_major or sample_major, got major"),  # type: ignore[arg-type]
    ],
)
def test_refusals(make, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}: "):
        make()


@pytest.mark.gpu
@pytest.mark.parametrize("order", ORDERS)
def test_a_gpu_gives_the_same_bits_and_never_waits(order: str) -> None:
    batch = batch_of(40)
    expected = augmented(batch, 8, order).images
    there = replace(batch, images=batch.images.cuda(), labels=batch.labels.cuda())
    augmented(there, 8, order)  # the first call makes the tables
    torch.cuda.set_sync_debug_mode("error")
    try:
        result = augmented(there, 8, order)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert result.images.cpu().numpy().tobytes() == expected.numpy().tobytes()
