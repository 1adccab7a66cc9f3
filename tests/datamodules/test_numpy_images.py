"""Arrays in an .npz file: what is trained on is what lies in it, and whatever else lies there is told."""

import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from datamodules import NumpyImages
from tests.commands.test_resume import rows, weights
from tests.datamodules.test_image_datamodule import attached

FIT = (
    "fit", "--model", "MLP", "--model.hidden_sizes", "[8]", "--data", "NumpyImages", "--data.file", "x.npz",
    "--data.batch_size", "8", "--optimizer", "SGD", "--optimizer.lr", "0.05", "--trainer.enable_progress_bar", "false",
    "--trainer.log_every_n_steps", "1",
)  # fmt: skip
Arrays = dict[str, Any]


def arrays(shape: tuple[int, ...] = (6, 6), **counts: int) -> Arrays:
    made: Arrays = {}
    for part, count in ({"train": 30, "test": 9} | counts).items():
        generator = np.random.default_rng(count)
        made[f"x_{part}"] = generator.integers(0, 200, (count, *shape), dtype=np.uint8)
        made[f"y_{part}"] = generator.permutation(np.arange(count) % 3)
    return made


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Arrays]:
    """Write x.npz in the current folder; arrays that are None are left out."""
    monkeypatch.chdir(tmp_path)

    def file(made: Arrays | None = None, **changed: Any) -> Arrays:
        content = {name: one for name, one in ((made or arrays()) | changed).items() if one is not None}
        np.savez_compressed("x.npz", **content)
        return content

    return file


@pytest.mark.parametrize("shape", [(6, 6), (6, 6, 1), (5, 5, 3)])
def test_the_arrays_are_those_of_the_file(write: Callable[..., Arrays], shape: tuple[int, ...]) -> None:
    made = write(arrays(shape))
    data = NumpyImages("x.npz")
    images, labels, test_images, test_labels = data.load()
    assert images.shape == (30, *shape[:2], shape[2] if len(shape) == 3 else 1) and images.dtype == np.uint8
    for mine, name in ((images, "x_train"), (labels, "y_train"), (test_images, "x_test"), (test_labels, "y_test")):
        assert np.array_equal(mine.reshape(made[name].shape), made[name])
    assert (data.num_classes, data.image_size, data.in_channels) == (3, shape[0], images.shape[3])
    pixels = images / 255
    assert np.allclose(data.mean, pixels.mean((0, 1, 2))) and np.allclose(data.std, pixels.std((0, 1, 2)))


def test_columns_of_labels_and_names_of_classes(write: Callable[..., Arrays]) -> None:
    made = write(classes=np.array(["cat", "dog", "owl"]), y_train=arrays()["y_train"][:, np.newaxis].astype(np.uint8))
    data = NumpyImages("x.npz")
    assert data.classes == ("cat", "dog", "owl")
    labels = data.load()[1]
    assert labels.dtype == np.int64 and np.array_equal(labels, made["y_train"][:, 0])


def test_parts_that_are_missing_are_drawn_by_seed(write: Callable[..., Arrays]) -> None:
    made = write(x_test=None, y_test=None)
    draws = []
    for seed in (0, 0, 1):
        data = attached(NumpyImages("x.npz", test_fraction=0.2, split_seed=seed))
        train, test = data._stores  # type: ignore[misc]
        assert (len(train.labels), len(test.labels), len(data._members["val"])) == (24, 6, 4)
        every = torch.cat([train.images, test.images]).flatten(1).numpy()
        assert sorted(map(bytes, every)) == sorted(map(bytes, made["x_train"]))
        draws.append(test.images)
    assert torch.equal(draws[0], draws[1]) and not torch.equal(draws[0], draws[2])


def test_validation_images_of_their_own(write: Callable[..., Arrays]) -> None:
    made = write(arrays(val=7))
    data = attached(NumpyImages("x.npz", val_fraction=0))
    assert data.validates and [len(data._members[part]) for part in ("train", "val", "test")] == [30, 7, 9]
    [batch] = data.val_dataloader()
    assert np.array_equal(batch.images[:, 0].numpy(), made["x_val"])
    assert np.allclose(data.mean, made["x_train"].mean() / 255)


def test_a_run_takes_what_mnists_takes_and_goes_on_to_the_bit(cadence, write: Callable[..., Arrays], capsys) -> None:
    write()
    words = (*FIT, "--data.image_size", "10", "--data.in_channels", "3", "--data.fit", "pad")
    words += ('--data.augment=[{"class_path": "RandomCrop", "init_args": {"padding": 1}}]',)
    assert cadence(*words, "--trainer.max_steps", "7", "--run_dir", "whole") == 0
    assert cadence(*words, "--trainer.max_steps", "3", "--run_dir", "run") == 0
    content = Path("x.npz").read_bytes()
    write(arrays(train=33))
    assert cadence("fit", "--resume", "run", "--trainer.max_steps", "7") == 2
    assert "data: the images of NumpyImages have changed since the checkpoint" in capsys.readouterr().err
    Path("x.npz").write_bytes(content)
    assert cadence("fit", "--resume", "run", "--trainer.max_steps", "7") == 0
    assert rows(Path("run")) == rows(Path("whole"))
    mine, theirs = weights(Path("run")), weights(Path("whole"))
    assert all(torch.equal(mine[key], theirs[key]) for key in mine)


class _Trap:
    def __reduce__(self) -> Any:
        return os.mkdir, ("unpickled",)


X, Y = arrays()["x_train"], arrays()["y_train"]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"x_train": None}, ["x_train is missing, and the file has y_train: add it"]),
        ({"y_test": None}, ["y_test is missing, and the file has x_test"]),
        ({"x_train": None, "y_train": None}, ["x_train is missing, and the file has x_test, y_test"]),
        ({"x_train": X / 255}, ["x_train is float64", "images are uint8", ".round().astype('uint8')"]),
        ({"x_train": X.astype(np.int64)}, ["x_train is int64", "images are uint8"]),
        ({"x_train": X[:, :, :5]}, ["x_train has shape (30, 6, 5)", "(n, side, side)"]),
        ({"x_train": X.reshape(30, 36)}, ["x_train has shape (30, 36)"]),
        ({"x_train": np.zeros((30, 3, 6, 6), np.uint8)}, ["x_train has shape (30, 3, 6, 6)"]),
        ({"x_train": X[:0], "y_train": Y[:0]}, ["x_train has shape (0, 6, 6)"]),
        ({"x_test": np.zeros((9, 7, 7), np.uint8)}, ["x_test has images of (7, 7), and x_train of (6, 6)"]),
        ({"y_train": Y[:29]}, ["y_train has shape (29,) for 30 images"]),
        ({"y_train": np.eye(3)[Y]}, ["y_train is float64", "y.astype('int64')"]),
        ({"y_train": Y + 1}, ["y_train has 3 different labels from 1 to 3", "count from 0 without gaps"]),
        ({"y_train": Y - 1}, ["y_train has 3 different labels from -1 to 1"]),
        ({"y_train": 2 * Y}, ["y_train has 3 different labels from 0 to 4"]),
        ({"y_train": 0 * Y}, ["y_train has 1 different labels", "two classes or more"]),
        ({"y_test": np.arange(9)}, ["y_test has label 3, and y_train 0 to 2"]),
        ({"classes": np.array(["a", "b"])}, ["classes is <U1 (2,): give 3 texts"]),
        ({"x_train": np.array([_Trap()] * 30, dtype=object)}, ["x_train holds Python objects", "never unpickled"]),
        ({"y_train": np.array([_Trap()] * 30, dtype=object)}, ["y_train holds Python objects"]),
        ({"classes": np.array([_Trap()] * 3, dtype=object)}, ["classes is object (3,)"]),
    ],
)  # fmt: skip
def test_wrong_arrays_are_told(cadence, write: Callable[..., Arrays], changed: Arrays, told: list[str], capsys) -> None:
    write(**changed)
    assert cadence(*FIT, "--trainer.max_steps", "1") == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("cadence: data.file: x.npz: ") and len(lines) <= 3
    assert all(part in lines[0] for part in told), lines
    assert not Path("unpickled").exists()


def lone_array(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, X)


def stranger(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.txt", "hello")


def damaged(path: Path) -> None:
    """Spoil the pixels within a whole archive."""
    np.savez(path, **arrays((60, 60)))
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo("x_train.npy").header_offset
    content[start + 50_000] ^= 255
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda path: None, "data.file: x.npz is not there (looked for from "),
        (lambda path: path.mkdir(), "data.file: x.npz is a folder"),
        (lambda path: path.write_text("hello"), "data.file: x.npz is no .npz file of arrays (File is not a zip file)"),
        (lone_array, "data.file: x.npz is no .npz file of arrays"),
        (stranger, "is no .npz file of arrays"),
        (damaged, "data.file: x.npz: x_train cannot be read ("),
    ],
)
def test_other_files_are_told(cadence, tmp_path: Path, spoil: Callable[[Path], Any], told: str, capsys) -> None:
    spoil(tmp_path / "x.npz")
    assert cadence(*FIT, "--trainer.max_steps", "1") == 2
    error = capsys.readouterr().err
    line = next(line for line in error.splitlines() if line.startswith("cadence: data"))
    assert told in line and "Traceback" not in error, error


def test_of_many_classes_the_first_are_drawn(cadence, write: Callable[..., Arrays], monkeypatch, capsys) -> None:
    import figures.dataset

    shown: list[Any] = []
    draw = figures.dataset.draw
    monkeypatch.setattr(figures.dataset, "draw", lambda *given: shown.extend(given) or draw(*given))
    write(x_train=np.zeros((600, 6, 6), np.uint8), y_train=np.arange(600) % 300, x_test=None, y_test=None)
    assert cadence("data", "show", "NumpyImages", "file=x.npz", "test_fraction=0.5") == 0
    assert "300 classes" in capsys.readouterr().out
    assert len(shown[0]) == len(shown[1]) == 20 and shown[2].endswith("of the first 20 classes")


def test_shown(cadence, write: Callable[..., Arrays], capsys) -> None:
    write(classes=np.array(["cat", "dog", "owl"]))
    assert cadence("data", "show", "NumpyImages", "file=x.npz") == 0
    shown = capsys.readouterr().out
    assert "NumpyImages: 39 images of 6 x 6 x 1, 3 classes" in shown and "owl" in shown
