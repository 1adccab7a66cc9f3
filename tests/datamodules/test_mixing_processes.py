"""MixUp and CutMix in loaders and datamodules: several processes share what one does, from any step on."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from datamodules import Digits
from datamodules.loaders import Store, TrainLoader
from datamodules.transforms import (
    Copies,
    CutMix,
    Cutout,
    MixUp,
    Pipeline,
    RandomCrop,
)
from datamodules.transforms._mixing import partner_places
from tests.datamodules.slow_mixing import BEFORE, CLASSES, every_list, whole
from timeline.stream import Stream


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
