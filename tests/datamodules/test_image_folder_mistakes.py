"""Images in folders: what is told of damaged files, of other folders than expected, and of options that do not fit."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datamodules import ImageFolder
from datamodules.sources import ImagesRefused
from tests.datamodules.photos import CLASSES, FIT


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
