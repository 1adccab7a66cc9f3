import numpy as np
import pytest

from datamodules.splits import stratified_split

LABELS = np.random.Generator(np.random.Philox(5)).integers(0, 7, 1003).astype(np.uint8)


@pytest.mark.parametrize("fraction", [0.0, 0.1, 1 / 6, 0.2, 0.5, 0.999])
def test_disjoint_whole_and_stratified(fraction: float) -> None:
    kept, held = stratified_split(LABELS, fraction, seed=0)
    assert sorted([*kept, *held]) == list(range(len(LABELS)))
    assert len(held) == round(fraction * len(LABELS))
    for label in range(7):
        assert abs(np.sum(LABELS[held] == label) - fraction * np.sum(label == LABELS)) <= 1


def test_seeded() -> None:
    held = [stratified_split(LABELS, 0.2, seed)[1].tolist() for seed in (0, 0, 1)]
    assert held[0] == held[1] != held[2]


def test_frozen_choice() -> None:
    """The same on every machine and with every numpy: these numbers must never change."""
    assert stratified_split(np.arange(20) % 4, 0.25, seed=0)[1].tolist() == [0, 6, 7, 13, 16]
