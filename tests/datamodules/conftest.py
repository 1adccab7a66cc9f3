"""What tests of data share: batches of random pixels, their draws, a comparison to the bit, and photos in folders."""

import numpy as np
import torch

from datamodules.batch import Batch
from tests.datamodules.photos import photos  # noqa: F401 - a fixture
from timeline.draws import words

MEAN, STD = [0.4914, 0.4822, 0.4465, 0.3], [0.2470, 0.2435, 0.2616, 0.2]


def batch_of(shape: tuple[int, int, int], rows: int = 6, step: int = 3) -> Batch:
    pixels = np.random.default_rng(rows).integers(0, 256, (rows, *shape), np.uint8)
    pixels.flat[0], pixels.flat[-1] = 0, 255
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    return Batch(images, torch.arange(rows), step, np.arange(rows))


def pixels(images: torch.Tensor) -> np.ndarray:
    return images.permute(0, 2, 3, 1).numpy()


def draws(name: str, batch: Batch, count: int, seed: int = 0) -> list[list[int]]:
    return words(seed, name, batch.step, batch.places, batch.copies, count).tolist()


def assert_same_bits(fast: torch.Tensor, slow: list[np.ndarray]) -> None:
    assert fast.is_contiguous(memory_format=torch.channels_last)
    expected = np.stack(slow)
    assert fast.shape == (len(expected), expected.shape[3], *expected.shape[1:3])
    assert pixels(fast).dtype == expected.dtype
    assert pixels(fast).tobytes() == expected.tobytes()
