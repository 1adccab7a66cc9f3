"""AlexNet: the layer table, on the meta device; its normalisation, and initial values."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lightning_modules import AlexNet
from lightning_modules.alexnet import LocalResponseNorm
from tests.lightning_modules.conftest import counts_by_layer, shapes


def test_alexnet_layer_table() -> None:
    with torch.device("meta"):
        model = AlexNet(num_classes=1000)
        images = torch.empty(2, 3, 224, 224)
    table = [34_944, 307_456, 885_120, 663_936, 442_624, 37_752_832, 16_781_312, 4_097_000]
    assert counts_by_layer(model) == table
    convolutions = [f"features.{i}" for i in (0, 4, 8, 10, 12)]
    maps = [(96, 55, 55), (256, 27, 27), (384, 13, 13), (384, 13, 13), (256, 13, 13)]
    assert shapes(model, [*convolutions, "features.14"], images) == [*maps, (256, 6, 6)]
    weights = sum(p.numel() for name, p in model.named_parameters() if name.endswith("weight"))
    assert weights == 60_954_656


def test_local_response_norm_is_the_papers() -> None:
    maps = torch.randn(2, 9, 3, 4, dtype=torch.float64) * 30
    expected = torch.empty_like(maps)
    for channel in range(9):
        window = maps[:, max(0, channel - 2) : channel + 3]
        expected[:, channel] = maps[:, channel] / (2 + 1e-4 * window.square().sum(1)) ** 0.75
    torch.testing.assert_close(LocalResponseNorm()(maps), expected)
    torch.testing.assert_close(nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2)(maps), expected)
    last = LocalResponseNorm()(maps.to(memory_format=torch.channels_last))
    torch.testing.assert_close(last, expected)


def test_alexnet_initial_values_and_a_step() -> None:
    torch.manual_seed(0)
    model = AlexNet()
    layers = [module for module in model.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    assert [layer.bias.unique().tolist() for layer in layers] == [[0], [1], [0], [1], [1], [1], [1], [0]]
    assert all(layer.weight.std().item() == pytest.approx(0.01, rel=0.03) for layer in layers)
    model.setup("fit")
    images = torch.randn(2, 3, 224, 224).to(memory_format=torch.channels_last)
    F.cross_entropy(model(images), torch.tensor([1, 2])).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
