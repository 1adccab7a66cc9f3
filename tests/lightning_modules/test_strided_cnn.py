"""StridedCNN: the layer table, and its last map for any image size."""

import pytest
import torch

from lightning_modules import StridedCNN
from tests.lightning_modules.conftest import counts_by_layer, shapes


def test_strided_cnn_table() -> None:
    model = StridedCNN()
    assert counts_by_layer(model) == [160, 12_832, 18_496, 204_928, 295_168, 230_500, 1_010]
    layers = [f"features.{i}" for i in (0, 2, 4, 6, 8, 9)]
    maps = [(16, 28, 28), (32, 14, 14), (64, 14, 14), (128, 7, 7), (256, 7, 7), (256, 3, 3)]
    assert shapes(model, layers, torch.zeros(2, 1, 28, 28)) == maps


@pytest.mark.parametrize("image_size", range(5, 12))
def test_strided_cnn_knows_its_last_map(image_size: int) -> None:
    images = torch.zeros(1, 1, image_size, image_size)
    assert StridedCNN(image_size=image_size)(images).shape == (1, 10)
