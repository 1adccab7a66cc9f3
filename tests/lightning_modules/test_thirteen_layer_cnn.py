"""ThirteenLayerCNN: the layer table, and its last map for any image size."""

import pytest
import torch

from lightning_modules import ThirteenLayerCNN
from tests.lightning_modules.conftest import counts_by_layer, shapes


def test_thirteen_layer_cnn_table() -> None:
    model = ThirteenLayerCNN()
    # 90 for the third convolution; 96 is published, a misprint: 8 * 10 weights and 10 biases.
    table = [168, 440, 90, 132, 182, 28, 240, 2_769_920, 524_800, 1_024, 131_328, 2_570]
    assert counts_by_layer(model) == table
    layers = [f"features.{i}" for i in (0, 1, 3, 5, 7, 9, 10, 12)]
    maps = [(6, 30, 30), (6, 15, 15), (8, 13, 13), (10, 13, 13), (12, 13, 13), (14, 13, 13), (14, 13, 13), (16, 13, 13)]
    assert shapes(model, layers, torch.zeros(2, 3, 32, 32)) == maps


@pytest.mark.parametrize("image_size", range(8, 12))
def test_thirteen_layer_cnn_knows_its_last_map(image_size: int) -> None:
    images = torch.zeros(2, 3, image_size, image_size)
    assert ThirteenLayerCNN(image_size=image_size)(images).shape == (2, 10)
