"""MixUp and CutMix: the slow reference's bits, the right statistics, the same batch on any number of processes."""

import math
from dataclasses import replace
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.special import betainc, betaincinv

from datamodules import Digits
from datamodules.batch import Batch
from datamodules.loaders import Store, TrainLoader
from datamodules.transforms import (
    BatchTransform,
    Copies,
    CutMix,
    Cutout,
    MixUp,
    Normalize,
    Pipeline,
    RandomCrop,
    RandomHorizontalFlip,
    cutmix,
    mixup,
)
from datamodules.transforms._mixing import mix_labels, partner_places
from tests.datamodules import per_image
from tests.datamodules.conftest import MEAN, STD, batch_of, pixels
from timeline.draws import beta, words
from timeline.stream import Stream

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


# Against the slow reference, to the bit


@every_list
@pytest.mark.parametrize("copies", [1, 3])
def test_images_and_labels_are_the_reference_to_the_bit(transforms, slow, copies) -> None:
    batch = whole()
    result = Pipeline([Copies(copies), *BEFORE, *transforms], 11, rows_per_part=5)(batch)
    reference = Slow(batch, slow, 11)
    assert result.copies is not None and len(result) == copies * 12
    expected = [reference(place, copy) for copy in range(copies) for place in range(12)]
    assert result.places.tolist() == [*range(12)] * copies
    assert pixels(result.images).tobytes() == np.stack([image for image, _ in expected]).tobytes()
    assert result.images.is_contiguous(memory_format=torch.channels_last)
    assert result.labels.dtype == torch.float32
    assert result.labels.numpy().tobytes() == np.stack([label for _, label in expected]).tobytes()


def test_cutmix_takes_bytes_too() -> None:
    images = batch_of((5, 6, 3), rows=2).images
    mixed = cutmix(images, images.flip(0), torch.tensor([[[1, 2], [4, 5]], [[0, 0], [5, 6]]]))
    assert torch.equal(mixed[0, :, 1:4, 2:5], images[1, :, 1:4, 2:5]) and torch.equal(mixed[1], images[0])
    assert torch.equal(mixed[0, :, 0], images[0, :, 0]) and mixed.dtype == torch.uint8


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_the_functions_keep_type_and_shape(dtype) -> None:
    images, others = torch.randn(2, 4, 3, 6, 5).to(dtype)
    mixed = mixup(images, others, torch.tensor([1.0, 0.0, 0.5, 0.25]))
    assert mixed.dtype == dtype and mixed.shape == images.shape
    assert torch.equal(mixed[0], images[0]) and torch.equal(mixed[1], others[1])
    assert torch.allclose(mixed[2], (images[2] + others[2]) / 2, atol=1e-2)
    boxes = torch.tensor([[[0, 0], [6, 5]], [[0, 0], [0, 0]], [[1, 2], [3, 5]], [[5, 0], [6, 5]]])
    cut = cutmix(images, others, boxes)
    assert torch.equal(cut[0, :, :3], others[0, :, :3]) and torch.equal(cut[1], images[1])
    assert torch.equal(cut[2, :, 1:3, 2:5], others[2, :, 1:3, 2:5]) and torch.equal(cut[2, :, 0], images[2, :, 0])


def test_labels_are_shares_that_sum_to_one() -> None:
    kept = torch.rand(5_000)
    hard, others = torch.arange(5_000) % CLASSES, torch.arange(5_000) // 3 % CLASSES
    once = mix_labels(hard, others, kept, CLASSES)
    assert torch.equal(once.sum(1), torch.ones(5_000)), "to the bit, where both labels are classes"
    assert torch.equal(once[hard == others].max(1).values, torch.ones(int((hard == others).sum())))
    twice = mix_labels(once, once.flip(0), kept, CLASSES)
    assert torch.allclose(twice.sum(1), torch.ones(5_000), rtol=0, atol=3e-7)


# Draws


def test_partners_are_a_permutation_of_the_global_batch_by_seed_step_and_name() -> None:
    found = [partner_places(*key, 64) for key in ((0, "MixUp", 3), (1, "MixUp", 3), (0, "CutMix", 3), (0, "MixUp", 4))]
    for number, partners in enumerate(found):
        assert sorted(partners) == list(range(64))
        assert all((partners != other).mean() > 0.8 for other in found[:number])
    own = [np.count_nonzero(partner_places(0, "MixUp", step, 32) == np.arange(32)) for step in range(2_000)]
    assert np.mean(own) == pytest.approx(1, abs=0.1), "one place of a batch is its own partner on average"


@pytest.mark.parametrize("alpha", [0.2, 1.0, 3.0])
def test_ratios_are_beta(alpha) -> None:
    drawn = words(0, "MixUp", 0, np.arange(20_000), None, 1)[:, 0]
    ratios = np.sort(beta(drawn, alpha))
    assert ratios[0] >= 0 and ratios[-1] <= 1
    uniform = (np.arange(20_000) + 0.5) / 20_000
    assert np.abs(betainc(alpha, alpha, ratios) - uniform).max() < 0.012, "Kolmogorov-Smirnov at 1 %"
    assert ratios.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.02)
    if alpha == 1:
        assert np.array_equal(beta(drawn, alpha), (drawn + 0.5) / 2**32)


def test_each_image_has_a_ratio_of_its_own_and_p_leaves_images_alone() -> None:
    batch = whole(rows=600)
    plain = Pipeline(BEFORE, 0)(batch).images
    mixed = Pipeline([*BEFORE, MixUp(1.0, p=0.25)], 0)(batch)
    untouched = (mixed.images == plain).flatten(1).all(1)
    assert 0.70 < untouched.double().mean() < 0.80
    assert bool((mixed.labels[untouched].max(1).values == 1).all())
    heaviest = mixed.labels[~untouched].max(1).values
    assert len(heaviest.unique()) > 0.7 * len(heaviest)
    assert torch.equal(Pipeline([*BEFORE, CutMix(p=0.0)], 0)(batch).images, plain)


def test_the_share_of_a_clipped_box_is_its_own() -> None:
    batch = whole((16, 16, 3), rows=400)
    batch = replace(batch, images=batch.images.int() * 0 + torch.arange(400, dtype=torch.int32)[:, None, None, None])
    result = CutMix()(replace(batch, labels=torch.arange(400) % CLASSES), 3, "CutMix")
    partners = partner_places(3, "CutMix", batch.step, 400)
    for row in range(400):
        label, other = row % CLASSES, int(partners[row]) % CLASSES
        kept = float((result.images[row, 0] == row).double().mean())
        if label != other:
            assert float(result.labels[row, label]) == np.float32(kept)


# On several processes


def loader_of(pipeline: Pipeline, rank: int = 0, world_size: int = 1, batch_size: int = 20) -> TrainLoader:
    images = np.random.default_rng(1).integers(0, 256, (90, 9, 7, 3), np.uint8)
    store, stream = Store(images, np.arange(90) % CLASSES), Stream(90, batch_size, 2)
    return TrainLoader(store, np.arange(90), stream, lambda: 0, rank, world_size, pipeline, CLASSES)


@every_list
@pytest.mark.parametrize("copies", [1, 2])
@pytest.mark.parametrize("world_size", [2, 3, 25])
def test_processes_share_what_one_does_to_the_bit(transforms, slow, copies, world_size) -> None:
    """Step 4 is a short batch of ten; of 25 processes some hold nothing."""
    pipeline = Pipeline([Copies(copies, "sample_major"), *BEFORE, *transforms], 2)
    for step in (0, 4):
        one = pipeline(loader_of(pipeline).batch(step))
        for rank in range(world_size):
            mine = pipeline(loader_of(pipeline, rank, world_size).batch(step))
            rows = np.isin(one.places, np.arange(rank, 20, world_size))
            assert mine.places.tolist() == one.places[rows].tolist() and mine.own is None
            assert torch.equal(mine.images, one.images[rows])
            assert torch.equal(mine.labels, one.labels[rows])
            assert mine.images.is_contiguous(memory_format=torch.channels_last)


def test_a_process_gathers_its_partners_and_no_more() -> None:
    mixing, plain = Pipeline([*BEFORE, MixUp()], 2), Pipeline([*BEFORE, Cutout(3)], 2)
    batch = loader_of(mixing, 1, 2).batch(0)
    assert batch.own is not None and batch.places[:10].tolist() == batch.own.tolist() == list(range(1, 20, 2))
    partners = partner_places(2, "MixUp", 0, 20)[batch.own]
    assert sorted(batch.places) == sorted({*batch.own.tolist(), *partners.tolist()})
    assert batch.own is not None and 10 < len(batch) < 20
    for loader in (loader_of(plain, 1, 2), loader_of(mixing)):
        batch = loader.batch(0)
        assert batch.own is None and len(batch) == 20 // loader.world_size
    first = loader_of(mixing).batch(0, most=2)
    assert first.places[:2].tolist() == [0, 1] and len(first) <= 4
    whole_batch = mixing(loader_of(mixing).batch(0))
    assert torch.equal(mixing(first).images, whole_batch.images[:2])


def attached(data: Digits, step: int = 0, rank: int = 0, world_size: int = 1) -> Digits:
    data.trainer = SimpleNamespace(  # type: ignore[assignment]
        global_step=step, global_rank=rank, world_size=world_size, training=True,
        lightning_module=SimpleNamespace(dtype=torch.float64), strategy=SimpleNamespace(root_device="cpu"),
    )  # fmt: skip
    data.setup("fit")
    return data


def test_a_datamodule_mixes_while_it_trains_and_from_any_step_on() -> None:
    def inputs(resident: bool = False, **where: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
        augment = [CutMix(), RandomCrop(1), MixUp(1.0)]
        data = attached(Digits(seed=1, augment=augment, device_resident=resident), **where)
        names = [type(transform).__name__ for transform in data.train_transforms.transforms]
        assert names == ["RandomCrop", "Normalize", "CutMix", "MixUp"]
        return [data.on_after_batch_transfer(batch, 0) for batch in data.train_dataloader()]

    whole_epoch = inputs()
    assert all(images.dtype == torch.float64 and labels.dtype == torch.float32 for images, labels in whole_epoch)
    assert whole_epoch[0][1].shape == (64, 10)
    for others, expected in ((inputs(step=9), whole_epoch[9:]), (inputs(resident=True), whole_epoch)):
        for mine, theirs in zip(others, expected, strict=True):
            assert all(torch.equal(a, b) for a, b in zip(mine, theirs, strict=True))
    for rank in range(2):
        for mine, theirs in zip(inputs(rank=rank, world_size=2), whole_epoch, strict=True):
            assert all(torch.equal(a, b[rank::2]) for a, b in zip(mine, theirs, strict=True))


def test_evaluation_does_not_mix() -> None:
    data = attached(Digits(augment=[MixUp(), CutMix()]))
    data.trainer.training = False  # type: ignore[misc]
    images, labels = data.on_after_batch_transfer(next(iter(data.val_dataloader())), 0)
    assert labels.dtype == torch.int64 and labels.shape == (len(images),)


def test_the_given_batch_stays_and_an_empty_one_goes_through() -> None:
    batch = whole()
    before = batch.images.clone()
    Pipeline([*BEFORE, MixUp(), CutMix()], 0)(batch)
    assert torch.equal(batch.images, before) and batch.labels.dtype == torch.int64
    nothing = replace(batch.take(np.arange(0)), own=np.arange(0))
    result = Pipeline([*BEFORE, MixUp(), CutMix()], 0)(nothing)
    assert result.images.shape == (0, 3, 9, 7) and result.labels.shape == (0, CLASSES)


# Mistakes


@pytest.mark.parametrize("kind", [MixUp, CutMix])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"alpha": 0.0}, "alpha must be above 0 and finite, got 0: "),
        ({"alpha": -1.0}, "alpha must be above 0 and finite, got -1: "),
        ({"alpha": math.nan}, "alpha must be above 0 and finite, got nan: "),
        ({"alpha": math.inf}, "alpha must be above 0 and finite, got inf: "),
        ({"p": 1.5}, r"p must lie in \[0, 1\], got 1.5: "),
        ({"p": -0.5}, r"p must lie in \[0, 1\], got -0.5: "),
    ],
)
def test_constructors_refuse(kind, arguments, message) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        kind(**arguments)


def test_calls_refuse_what_they_cannot_mix() -> None:
    with pytest.raises(ValueError, match="MixUp mixes normalised images, got integers: place it after Normalize"):
        Pipeline([MixUp()], 0)(whole())
    with pytest.raises(ValueError, match="MixUp mixes batches of a training loader: in others set samples and classes"):
        Pipeline([*BEFORE, MixUp()], 0)(replace(whole(), samples=None))
    part = whole().take(np.arange(3))
    for own in (None, part.places):
        with pytest.raises(ValueError, match="CutMix lacks the partners of some rows: take the batch from a loader"):
            Pipeline([*BEFORE, CutMix()], 0)(replace(part, own=own))


@pytest.mark.gpu
@every_list
def test_a_gpu_gives_the_same_bits_and_never_waits(transforms, slow) -> None:
    pipeline, batch = Pipeline([Copies(2), *BEFORE, *transforms], 0), whole((32, 32, 3), rows=40)
    expected = pipeline(batch)
    there = replace(batch, images=batch.images.cuda(), labels=batch.labels.cuda())
    pipeline(there)  # the first call makes the tables
    torch.cuda.set_sync_debug_mode("error")
    try:
        result = pipeline(there)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert result.images.cpu().numpy().tobytes() == expected.images.numpy().tobytes()
    assert result.labels.cpu().numpy().tobytes() == expected.labels.numpy().tobytes()
