"""VGG19, on the meta device, without memory: the layer table, and calls for initial values."""

import math

import pytest
import torch
from torch import Tensor, nn

from lightning_modules import VGG19
from tests.lightning_modules.conftest import counts_by_layer, shapes


def test_vgg19_layer_table() -> None:
    with torch.device("meta"):
        model = VGG19(num_classes=1000, bias=False)
        images = torch.empty(2, 3, 224, 224)
    first_two, fc = [1_728, 36_864], [102_760_448, 16_777_216, 4_096_000]
    table = [*first_two, 73_728, 147_456, 294_912, *[589_824] * 3, 1_179_648, *[2_359_296] * 7, *fc]
    assert counts_by_layer(model) == table
    names = [f"features.{i}" for i, layer in enumerate(model.features) if not isinstance(layer, nn.ReLU)]
    linear = [f"classifier.{i}" for i, layer in enumerate(model.classifier) if isinstance(layer, nn.Linear)]
    outputs = shapes(model, names + linear, images)
    pooled = [shape for name, shape in zip(names, outputs, strict=False) if "MaxPool" in str(model.get_submodule(name))]
    assert pooled == [(64, 112, 112), (128, 56, 56), (256, 28, 28), (512, 14, 14), (512, 7, 7)]
    # The memory column of a layer table: input, convolutions, pools and linear layers of one image.
    assert 3 * 224**2 + sum(map(math.prod, outputs)) == 16_542_184


def test_vgg19_starts_from_glorots_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    # On the meta device there are no values to look at, so the calls are: filling 143 million parameters takes seconds.
    drawn: list[Tensor] = []
    zeroed: list[Tensor] = []
    monkeypatch.setattr(nn.init, "xavier_uniform_", drawn.append)
    monkeypatch.setattr(nn.init, "zeros_", zeroed.append)
    with torch.device("meta"):
        model = VGG19()
    assert [id(tensor) for tensor in drawn] == [id(p) for p in model.parameters() if p.dim() > 1]
    assert [id(tensor) for tensor in zeroed] == [id(p) for p in model.parameters() if p.dim() == 1]
    assert len(drawn) == len(zeroed) == 19
