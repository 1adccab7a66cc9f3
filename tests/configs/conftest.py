"""Random images in place of the fetched datasets: the same shapes and classes, no cache and no network."""

from types import SimpleNamespace

import numpy as np
import pytest

from datamodules import fetched
from datamodules.sources._registry import find

TRAIN, TEST = 256, 64


def stand_in(name: str) -> SimpleNamespace:
    """Arrays as `load_arrays(name)` gives them, with every class in both parts."""
    generator, spec = np.random.default_rng(0), find(name)

    def images(count: int) -> np.ndarray:
        return generator.integers(0, 256, (count, *spec.image_shape), dtype=np.uint8)

    def labels(count: int) -> np.ndarray:
        return (np.arange(count) % len(spec.classes)).astype(np.uint8)

    return SimpleNamespace(
        train_images=images(TRAIN), train_labels=labels(TRAIN), test_images=images(TEST), test_labels=labels(TEST)
    )


@pytest.fixture
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every fetched dataset is a stand-in."""
    monkeypatch.setattr(fetched, "fetch", lambda name, **_: None)
    monkeypatch.setattr(fetched, "load_arrays", stand_in)
