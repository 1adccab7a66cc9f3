"""Photos that tests of images in folders draw, and the command that trains on them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

CLASSES = ("cat", "dog", "owl")
MODES = ("RGB", "L", "RGBA", "P", "CMYK", "1")
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
