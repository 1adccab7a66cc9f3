from types import SimpleNamespace

import numpy as np
import pytest
import torch

import datamodules
from datamodules import FETCHED, Digits
from datamodules.image_datamodule import ImageDataModule
from datamodules.transforms import Cutout, RandomCrop, RandomHorizontalFlip


def attached(data: ImageDataModule, step: int = 0, rank: int = 0, world_size: int = 1) -> ImageDataModule:
    """The datamodule as a trainer at some step would hold it."""
    data.trainer = SimpleNamespace(  # type: ignore[assignment]
        global_step=step, global_rank=rank, world_size=world_size, training=True,
        lightning_module=SimpleNamespace(dtype=torch.float32),
    )  # fmt: skip
    data.setup("fit")
    return data


AUGMENT = [RandomCrop(padding=1), RandomHorizontalFlip(), Cutout(3)]


def train_batches(data: ImageDataModule, count: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    return [
        data.on_after_batch_transfer(batch, 0) for batch, _ in zip(data.train_dataloader(), range(count), strict=False)
    ]


def test_a_loader_begins_at_the_trainers_step() -> None:
    whole = train_batches(attached(Digits(seed=1, augment=AUGMENT)), 8)
    late = train_batches(attached(Digits(seed=1, augment=AUGMENT), step=5), 3)
    for (images, labels), (late_images, late_labels) in zip(whole[5:], late, strict=True):
        assert torch.equal(images, late_images) and torch.equal(labels, late_labels)


@pytest.mark.parametrize("world_size", [2, 3, 4])
def test_processes_share_what_one_process_does(world_size: int) -> None:
    one = train_batches(attached(Digits(seed=1, augment=AUGMENT)), 3)
    for rank in range(world_size):
        mine = train_batches(attached(Digits(seed=1, augment=AUGMENT), rank=rank, world_size=world_size), 3)
        for (images, labels), (all_images, all_labels) in zip(mine, one, strict=True):
            assert torch.equal(images, all_images[rank::world_size])
            assert torch.equal(labels, all_labels[rank::world_size])


@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_every_held_out_and_test_sample_once(world_size: int) -> None:
    seen: dict[str, list[torch.Tensor]] = {"val": [], "test": []}
    for rank in range(world_size):
        data = attached(Digits(eval_batch_size=50), rank=rank, world_size=world_size)
        for split, loader in (("val", data.val_dataloader()), ("test", data.test_dataloader())):
            seen[split] += [batch.images.flatten(1) for batch in loader]
    data = attached(Digits())
    assert data._stores is not None
    train_store, test_store = data._stores
    members = {"val": train_store.images[data._members["val"]], "test": test_store.images}
    for split, parts in seen.items():
        mine, expected = torch.cat(parts).numpy(), members[split].flatten(1).numpy()
        assert sorted(map(bytes, mine)) == sorted(map(bytes, expected))


def test_training_and_held_out_samples_are_disjoint() -> None:
    data = attached(Digits(val_fraction=0.25))
    assert not set(data._members["train"]) & set(data._members["val"])
    assert len(data._members["train"]) + len(data._members["val"]) == 1198


def test_validation_on_the_test_set() -> None:
    data = attached(Digits(val="test"))
    assert len(data._members["train"]) == 1198
    assert torch.equal(next(iter(data.val_dataloader())).images, next(iter(data.test_dataloader())).images)


def test_evaluation_is_not_augmented() -> None:
    data = attached(Digits(augment=AUGMENT))
    data.trainer.training = False  # type: ignore[misc]
    batch = next(iter(data.val_dataloader()))
    raw = batch.images.clone()
    images, _ = data.on_after_batch_transfer(batch, 0)
    expected = (raw.double() / 255 - Digits.mean[0]) / Digits.std[0]
    assert torch.allclose(images.double(), expected, atol=1e-6)


def test_cutout_comes_after_normalisation() -> None:
    data = Digits(augment=[Cutout(3), RandomCrop(padding=1)])
    assert [type(transform).__name__ for transform in data.train_transforms.transforms] == [
        "RandomCrop", "Normalize", "Cutout",
    ]  # fmt: skip


def test_images_as_the_model_gets_them() -> None:
    data = attached(Digits(image_size=32, in_channels=3, fit="pad"))
    images, labels = train_batches(data, 1)[0]
    assert images.shape == (64, 3, 32, 32) and images.dtype == torch.float32
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert labels.dtype == torch.int64
    assert (data.in_channels, data.image_size, data.num_classes) == (3, 32, 10)


def test_the_stores_are_not_written_to() -> None:
    data = attached(Digits(augment=AUGMENT))
    assert data._stores is not None
    before = data._stores[0].images.clone()
    train_batches(data, 5)
    assert torch.equal(data._stores[0].images, before)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"val_fraction": 2}, r"val_fraction must lie in \[0, 1\), got 2"),
        ({"batch_size": -1}, "batch_size must be at least 1, got -1"),
        ({"eval_batch_size": 0}, "eval_batch_size must be at least 1"),
        ({"in_channels": 2}, "in_channels must be 1 or 3 for Digits, got 2"),
        ({"image_size": 4, "fit": "pad"}, "image_size 4 is below the images' 8"),
        ({"seed": -1}, "seed must be a whole number"),
    ],
)
def test_mistakes_are_named(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Digits(**arguments)


def test_digits_constants_are_the_data() -> None:
    data = attached(Digits(val_fraction=0))
    assert data._stores is not None
    pixels = data._stores[0].images.double() / 255
    assert abs(float(pixels.mean()) - Digits.mean[0]) < 5e-5
    assert abs(float(pixels.std(correction=0)) - Digits.std[0]) < 5e-5


@pytest.mark.real_data
@pytest.mark.parametrize("name", FETCHED)
def test_constants_are_the_data(name: str) -> None:
    data = getattr(datamodules, name)(val_fraction=0)
    data.prepare_data()
    images, labels, _, test_labels = data.load()
    pixels = images.reshape(-1, data.native_channels) / np.float64(255)
    assert images.shape[1:] == (data.native_size, data.native_size, data.native_channels)
    assert set(np.unique(labels)) == set(np.unique(test_labels)) == set(range(len(data.classes)))
    assert np.allclose(pixels.mean(0), data.mean, atol=1e-4)
    assert np.allclose(pixels.std(0), data.std, atol=1e-4)
