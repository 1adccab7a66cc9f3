"""Images in folders: torchvision's arrays, split by seed, and read once into the cache."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import datasets
from torchvision import transforms as T

import datamodules.sources._image_cache as image_cache
from datamodules import ImageFolder
from datamodules.sources import CacheNotWritable
from tests.datamodules.photos import CLASSES, draw
from tests.datamodules.test_image_datamodule import attached
from tests.forked import begun
from tests.full_disk import mounted

CROP = T.Compose([T.Resize(4), T.CenterCrop(4), T.PILToTensor()])


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that are decoded."""
    seen: list[Path] = []
    read = image_cache.read

    def counted(file: Path, **options: object) -> object:
        seen.append(file)
        return read(file, **options)

    monkeypatch.setattr(image_cache, "read", counted)
    return seen


def theirs(folder: Path, transform: T.Compose) -> tuple[np.ndarray, list[int]]:
    found = [*datasets.ImageFolder(str(folder), transform)]
    return torch.stack([image for image, _ in found]).permute(0, 2, 3, 1).numpy(), [label for _, label in found]


def test_arrays_are_torchvisions_to_the_bit(photos: Path) -> None:
    draw(photos / "train" / "cat" / "deeper", 2, 99)
    (photos / "train" / "cat" / "notes.txt").write_text("no image")
    (photos / "train" / ".hidden").mkdir()
    data = ImageFolder(str(photos), image_size=7)
    images, labels, test_images, test_labels = data.load()
    crop = T.Compose([T.Resize(7), T.CenterCrop(7), T.PILToTensor()])
    shutil.rmtree(photos / "train" / ".hidden")  # which is a class to torchvision
    for part, mine, given in (("train", images, labels), ("test", test_images, test_labels)):
        expected, expected_labels = theirs(photos / part, crop)
        assert np.array_equal(mine, expected) and given.tolist() == expected_labels
    assert (data.classes, data.num_classes, len(labels)) == (CLASSES, 3, 38)
    assert isinstance(images, np.memmap) and not images.flags.writeable


def test_grey_resized_and_padded(photos: Path) -> None:
    grey = ImageFolder(str(photos), image_size=5, in_channels=1, fit="resize").load()[0]
    expected, _ = theirs(photos / "train", T.Compose([T.Grayscale(), T.Resize((5, 5)), T.PILToTensor()]))
    assert grey.shape == (36, 5, 5, 1)
    assert np.abs(grey.astype(int) - expected).max() <= 1  # a colour image becomes grey before, or after, as RGB
    Image.new("RGB", (8, 4), (255, 255, 255)).save(photos / "train" / "cat" / "00.png")
    padded = ImageFolder(str(photos), image_size=4, fit="pad").load()[0][0]
    assert padded[:, :, 0].tolist() == [[0] * 4, [255] * 4, [255] * 4, [0] * 4]


def test_without_a_test_folder_the_test_set_is_drawn_by_seed_and_class(photos: Path) -> None:
    draws = []
    for seed in (0, 0, 1):
        data = attached(ImageFolder(str(photos / "train"), image_size=4, test_fraction=0.25, split_seed=seed))
        train, test = data._stores[0], data._stores[1]  # type: ignore[index]
        assert torch.bincount(test.labels).tolist() == [3, 3, 3] and torch.bincount(train.labels).tolist() == [9] * 3
        every = torch.cat([train.images, test.images]).flatten(1).numpy()
        assert sorted(map(bytes, every)) == sorted(map(bytes, theirs(photos / "train", CROP)[0].reshape(36, -1)))
        kept, held = data._members["train"], data._members["val"]
        assert not set(kept) & set(held) and len(held) == round(27 / 6)
        draws.append(test.images)
    assert torch.equal(draws[0], draws[1]) and not torch.equal(draws[0], draws[2])


def test_validation_images_of_their_own(photos: Path) -> None:
    for name in CLASSES:
        draw(photos / "val" / name, 2, 7)
    data = attached(ImageFolder(str(photos), image_size=4, val_fraction=0))
    assert data.validates and [len(data._members[part]) for part in ("train", "val", "test")] == [36, 6, 12]
    expected, _ = theirs(photos / "val", CROP)
    [batch] = data.val_dataloader()
    assert np.array_equal(batch.images.permute(0, 2, 3, 1).numpy(), expected)


def test_normalised_by_the_training_images_alone(photos: Path) -> None:
    for name in CLASSES:
        (photos / "val" / name).mkdir(parents=True)
        Image.new("RGB", (4, 4), (255, 255, 255)).save(photos / "val" / name / "white.png")
    data = attached(ImageFolder(str(photos), image_size=6))
    pixels = data.load()[0][:36] / 255
    assert np.allclose(data.mean, pixels.mean((0, 1, 2))) and np.allclose(data.std, pixels.std((0, 1, 2)))
    batch = next(iter(data.train_dataloader()))
    raw = batch.images.double()
    images, _ = data.on_after_batch_transfer(batch, 0)
    expected = (raw / 255 - torch.tensor(data.mean).view(3, 1, 1)) / torch.tensor(data.std).view(3, 1, 1)
    assert torch.allclose(images.double(), expected, atol=1e-5)


def test_read_once_and_again_where_a_file_has_changed(photos: Path, looked_at: list[Path], capfd) -> None:
    first = ImageFolder(str(photos), image_size=4).load()[0].copy()
    assert len(looked_at) == 48 and "reading images of" in capfd.readouterr().err
    assert np.array_equal(ImageFolder("photos", image_size=4).load()[0], first)  # by another name of the folder
    assert len(looked_at) == 48 and capfd.readouterr().err == ""
    changed = photos / "train" / "cat" / "00.png"
    Image.new("RGB", (4, 4)).save(changed)
    second = ImageFolder(str(photos), image_size=4).load()[0]
    assert len(looked_at) == 96 and not second[0].any() and np.array_equal(second[1:], first[1:])
    changed.unlink()
    assert len(ImageFolder(str(photos), image_size=4).load()[0]) == 35
    ImageFolder(str(photos), image_size=5).load()
    cache = Path(os.environ["CADENCE_DATA"])
    assert len(list(cache.iterdir())) == 2  # one folder for each size, and nothing left of the replaced


def test_damaged_arrays_are_made_anew(photos: Path, looked_at: list[Path]) -> None:
    first = ImageFolder(str(photos), image_size=4).load()[0].copy()
    [array] = Path(os.environ["CADENCE_DATA"]).glob("*/images.npy")
    for spoil in (
        lambda: os.truncate(array, 500),
        lambda: array.write_bytes(bytes(array.stat().st_size)),
        array.unlink,
    ):
        spoil()
        looked_at.clear()
        assert np.array_equal(ImageFolder(str(photos), image_size=4).load()[0], first) and len(looked_at) == 48
    manifest = array.with_name("manifest.json")
    manifest.write_text("[")
    assert np.array_equal(ImageFolder(str(photos), image_size=4).load()[0], first)
    assert json.loads(manifest.read_text())["images"]["size"] == array.stat().st_size


def test_every_byte_is_verified_on_demand(cadence, photos: Path, capsys) -> None:
    assert cadence("data", "verify", "ImageFolder") == 0 and capsys.readouterr().out == ""
    ImageFolder(str(photos), image_size=100).load()
    [array] = Path(os.environ["CADENCE_DATA"]).glob("*/images.npy")
    assert cadence("data", "verify", "ImageFolder") == 0
    assert capsys.readouterr().out == f"ImageFolder: {array}: ok: ok\n"
    content = bytearray(array.read_bytes())
    content[20_000] ^= 1  # between what is looked at when the arrays are mapped
    array.write_bytes(content)
    ImageFolder(str(photos), image_size=100).load()
    assert cadence("data", "verify") == 2  # as the others are not in the cache
    assert f"ImageFolder: {array}: BAD: not what was written: delete the folder" in capsys.readouterr().out


def test_two_processes_at_once_read_once(photos: Path) -> None:
    words = ("data", "show", "ImageFolder", "root=photos", "image_size=6", "--out")
    children = [begun(*words, f"{name}.png", cwd=photos.parent) for name in ("a", "b")]
    done = [child.done() for child in children]
    assert [one.status for one in done] == [0, 0], done
    assert sum(one.err.count("48 of 48") for one in done) == 1
    assert done[0].out.partition("drawn")[0] == done[1].out.partition("drawn")[0]


def test_lines_in_a_log(photos: Path, monkeypatch: pytest.MonkeyPatch, capfd) -> None:
    monkeypatch.setattr(image_cache, "_AT_ONCE", 1)
    monkeypatch.setattr(image_cache, "_threads", lambda: 12)
    ImageFolder(str(photos), image_size=4).load()
    name = f"reading images of {photos}"
    assert capfd.readouterr().err.splitlines() == [name, *(f"{name}: {done} of 48" for done in (12, 24, 36, 48))]


def test_a_bar_in_a_terminal(photos: Path, monkeypatch: pytest.MonkeyPatch, capfd) -> None:
    for name, value in (("FORCE_COLOR", "1"), ("TERM", "xterm"), ("COLUMNS", "160")):
        monkeypatch.setenv(name, value)
    ImageFolder(str(photos), image_size=4).load()
    assert "48/48" in capfd.readouterr().err


def test_a_full_disk_is_told(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with mounted(tmp_path / "disk") as disk:
        monkeypatch.setenv("CADENCE_DATA", str(disk.root / "cache"))
        disk.fill(leaving=3)
        with pytest.raises(CacheNotWritable, match="No space left on device"):
            ImageFolder(str(photos), image_size=64).load()
        disk.make_room()
        assert not list((disk.root / "cache").glob("*"))
        assert len(ImageFolder(str(photos), image_size=64).load()[0]) == 36
