"""Images in folders: torchvision's arrays, read once and split by seed; and what is told of mistakes."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import datasets
from torchvision import transforms as T

import datamodules.sources._image_cache as image_cache
from datamodules import ImageFolder
from datamodules.sources import CacheNotWritable, ImagesRefused
from tests.commands.test_resume import rows, weights
from tests.datamodules.test_image_datamodule import attached
from tests.forked import begun
from tests.full_disk import mounted
from tests.ranks import together

CLASSES = ("cat", "dog", "owl")
MODES = ("RGB", "L", "RGBA", "P", "CMYK", "1")
CROP = T.Compose([T.Resize(4), T.CenterCrop(4), T.PILToTensor()])
FIT = (
    "fit", "--model", "MLP", "--model.hidden_sizes", "[8]", "--data", "ImageFolder", "--data.root", "photos",
    "--data.image_size", "6", "--data.batch_size", "8", "--optimizer", "SGD", "--optimizer.lr", "0.05",
    "--trainer.enable_progress_bar", "false", "--trainer.log_every_n_steps", "1",
)  # fmt: skip


def draw(folder: Path, count: int, seed: int = 0) -> None:
    """Images of several sizes, kinds and modes."""
    folder.mkdir(parents=True)
    generator = np.random.default_rng(seed)
    for number in range(count):
        pixels = generator.integers(0, 256, (9 + number % 3, 12 - number % 5, 3), dtype=np.uint8)
        mode = MODES[number % len(MODES)]
        image = Image.fromarray(pixels).convert(mode)
        image.save(folder / f"{number:02}.{'jpg' if mode == 'CMYK' else 'png'}")


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of train and test images, beside an empty cache."""
    monkeypatch.setenv("CADENCE_DATA", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    for part, count in (("train", 12), ("test", 4)):
        for seed, name in enumerate(CLASSES):
            draw(tmp_path / "photos" / part / name, count, seed + 10 * count)
    return tmp_path / "photos"


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


def test_every_damaged_file_is_named_and_none_is_kept(photos: Path) -> None:
    cat = photos / "train" / "cat"
    os.truncate(cat / "00.png", 60)
    (cat / "01.png").write_bytes(b"")
    (cat / "02.png").write_text("hello")
    (photos / "test" / "owl" / "00.png").write_text("hello")
    with pytest.raises(ImagesRefused) as caught:
        ImageFolder(str(photos), image_size=4).load()
    told = str(caught.value)
    assert told.startswith("data.root: 4 images cannot be read: ") and len(told.splitlines()) == 2
    for name, why in (("00.png", "truncated"), ("01.png", "it is empty"), ("02.png", "no image in any known format")):
        assert any(f"cat/{name} (" in part and why in part for part in told.split(";")), told
    assert "; and 1 more\n" in told
    assert not list(Path(os.environ["CADENCE_DATA"]).iterdir())
    Image.fromarray(np.zeros((4, 4), dtype=np.uint16)).save(cat / "03.png")
    with pytest.raises(ImagesRefused, match="5 images"):
        ImageFolder(str(photos), image_size=4).load()


def test_a_folder_that_cannot_be_listed_is_named(photos: Path) -> None:
    data = ImageFolder(str(photos), image_size=4)
    shutil.rmtree(photos / "train" / "dog")
    with pytest.raises(ImagesRefused, match=r"train/dog \(No such file or directory\)"):
        data.load()


def test_names_that_a_terminal_could_not_show(photos: Path, capsys, cadence) -> None:
    for part in ("train", "test"):
        (photos / part / "owl").rename(photos / part / os.fsdecode(b"o\x1b[31m\xff"))
    assert ImageFolder(str(photos), image_size=4).classes[2] == "o?[31m?"
    assert cadence("data", "show", "ImageFolder", f"root={photos}", "image_size=6") == 0
    assert "o?[31m?" in capsys.readouterr().out


def spoilt(change: str) -> Callable[[Path], None]:
    def apply(photos: Path) -> None:
        if change == "gone":
            shutil.rmtree(photos)
        elif change == "a file":
            shutil.rmtree(photos)
            photos.write_text("")
        elif change == "one class":
            for name in CLASSES[1:]:
                shutil.rmtree(photos / "train" / name)
        elif change == "empty":
            shutil.rmtree(photos)
            photos.mkdir()
        elif change == "no images":
            for file in (photos / "train" / "dog").iterdir():
                file.rename(file.with_suffix(".txt"))
        elif change == "test lacks":
            shutil.rmtree(photos / "test" / "dog")
        elif change == "test has":
            (photos / "test" / "zebra").mkdir()
        elif change == "a stranger":
            (photos / "zebra").mkdir()
        elif change == "damaged":
            os.truncate(photos / "train" / "cat" / "00.png", 60)
        elif change == "dangling":
            (photos / "train" / "cat" / "z.png").symlink_to("/nowhere/at/all.png")

    return apply


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("gone", ["data.root: photos is not there", "give a folder that holds train/CLASS/x.png"]),
        ("a file", ["data.root: photos is a file"]),
        ("empty", ["data.root: photos holds no folder", "a folder of images for each class"]),
        ("one class", ["data.root: photos/train holds one folder alone, cat", "two or more"]),
        ("no images", ["data.root: photos/train/dog has no image (.jpg", "add some, or remove the folder"]),
        ("test lacks", ["data.root: photos: test lacks class 'dog'", "must have the same folders"]),
        ("test has", ["data.root: photos: class 'zebra' is in test alone"]),
        ("a stranger", ["data.root: photos holds train and zebra, a part and a class"]),
        ("damaged", ["data.root: 1 image cannot be read: photos/train/cat/00.png (", "delete, replace or convert"]),
        ("dangling", ["data.root: 1 image cannot be read: photos/train/cat/z.png (No such file"]),
    ],
)
def test_mistakes_are_told_before_training(cadence, photos: Path, change: str, told: list[str], capsys) -> None:
    spoilt(change)(photos)
    assert cadence(*FIT, "--trainer.max_steps", "1") == 2
    lines = capsys.readouterr().err.splitlines()
    at = next(place for place, line in enumerate(lines) if line.startswith("cadence: data"))
    assert len(lines[at:]) <= 3 and all(part in " ".join(lines[at:]) for part in told), lines


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            ("--data.test_fraction", "0.2"),
            "data.test_fraction: ImageFolder has a test set here: leave",
        ),
        (("--data.root", "photos/train", "--data.test_fraction", "0.001"), "leaves no test image: change it"),
        (("--data.in_channels", "2"), "data.in_channels must be one of 1, 3, got 2"),
        (("--data.image_size", "5000"), "data.image_size must lie in [1, 1024], got 5000"),
        (("--data.fit", "squeeze"), "data.fit: expected one of crop, resize, pad, got 'squeeze'"),
        (("--data.rot", "x"), "nearest: root"),
    ],
)
def test_options_that_do_not_fit(cadence, photos: Path, options: tuple[str, ...], told: str, capsys) -> None:
    assert cadence(*FIT, "--trainer.max_steps", "1", *options) == 2
    lines = capsys.readouterr().err.splitlines()
    assert told in " ".join(lines[-3:]) and len(lines) <= 3


def test_root_must_be_given(cadence, tmp_path: Path, capsys) -> None:
    words = ("--model", "MLP", "--data", "ImageFolder", "--optimizer", "SGD", "--trainer.max_steps", "1")
    assert cadence("fit", *words) == 2
    assert "data.root is missing" in capsys.readouterr().err


def test_a_run_goes_on_to_the_bit_but_not_on_other_images(cadence, photos: Path, capsys) -> None:
    augment = '--data.augment=[{"class_path": "RandomCrop", "init_args": {"padding": 1}}]'
    assert cadence(*FIT, augment, "--trainer.max_steps", "9", "--run_dir", "whole") == 0
    assert cadence(*FIT, augment, "--trainer.max_steps", "4", "--run_dir", "run") == 0
    for file in photos.rglob("*.png"):
        os.utime(file)  # copied, say: the same images
    assert cadence("fit", "--resume", "run", "--trainer.max_steps", "7") == 0
    copied = photos / "train" / "cat" / "00.png"
    before = copied.read_bytes()
    Image.new("RGB", (4, 4)).save(copied)
    capsys.readouterr()
    assert cadence("fit", "--resume", "run", "--trainer.max_steps", "9") == 2
    told = capsys.readouterr().err
    assert "data: the images of ImageFolder have changed since the checkpoint" in told and "--from RUN_DIR" in told
    assert cadence("test", "--run_dir", "run") == 0  # a test may be of other images
    copied.write_bytes(before)
    assert cadence("fit", "--resume", "run", "--trainer.max_steps", "9") == 0
    assert rows(Path("run")) == rows(Path("whole"))
    mine, other = weights(Path("run")), weights(Path("whole"))
    assert all(torch.equal(mine[key], other[key]) for key in mine)


@pytest.mark.slow
@pytest.mark.parametrize("processes", [2, 3])
def test_a_run_with_stochastic_depth_is_the_same_on_several_processes(photos: Path, processes: int) -> None:
    words = [*FIT, "--model", "TorchvisionModel", "--model.name", "efficientnet_b0", "--data.image_size", "33"]
    words += ["--trainer.max_steps", "3", "--trainer.precision", "64-true", "--trainer.accelerator", "cpu"]
    words = [word for word in words if word not in ("--model.hidden_sizes", "[8]")]
    words += ["--trainer.sync_batchnorm", "true", "--test_after_fit", "false", "--run_dir"]
    many = together(*words, "many", cwd=photos.parent, processes=processes)
    assert [one.status for one in many] == [0] * processes, many
    assert sum(one.err.count("48 of 48") for one in many) == 1  # one has read the images for all
    [alone] = together(*words, "one", cwd=photos.parent, processes=1)
    assert alone.status == 0 and "reading" not in alone.err
    for mine, other in zip(rows(photos.parent / "many"), rows(photos.parent / "one"), strict=True):
        assert float(mine["train/loss"] or 0) == pytest.approx(float(other["train/loss"] or 0), abs=1e-8)


def test_shown_with_the_names_of_its_classes(cadence, photos: Path, capsys) -> None:
    assert cadence("data", "show", "imagefolder", "root=photos", "image_size=6") == 0
    shown = capsys.readouterr().out
    assert "ImageFolder: 48 images of 6 x 6 x 3, 3 classes" in shown
    assert all(name in shown for name in CLASSES) and Path("dataset.png").is_file()
    for words, told in (
        (["ImageFolder"], "root is missing: cadence data show ImageFolder root=PATH"),
        (["ImageFolder", "root=nowhere"], "root: nowhere is not there"),
        (["ImageFolder", "rot=photos"], "rot: ImageFolder has no such option: nearest: root"),
        (["Digits", "batch_size=0"], "batch_size must be at least 1"),
    ):
        assert cadence("data", "show", *words) == 2
        error = capsys.readouterr().err
        assert told in error and len(error.splitlines()) <= 3
