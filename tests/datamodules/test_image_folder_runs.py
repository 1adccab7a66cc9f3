"""Images in folders: runs on them, resumed and on several processes, and how `data show` shows them."""

import os
from pathlib import Path

import pytest
import torch
from PIL import Image

from tests.commands.test_resume import rows, weights
from tests.datamodules.photos import CLASSES, FIT
from tests.ranks import together


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
