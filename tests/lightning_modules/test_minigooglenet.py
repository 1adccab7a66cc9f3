"""MiniGoogLeNet: its stages, its units, and the order in which branches join."""

import torch
from torch import nn
from torch.nn import functional as F

from lightning_modules import MiniGoogLeNet
from tests.lightning_modules.conftest import shapes


def test_minigooglenet_stages() -> None:
    model = MiniGoogLeNet(in_channels=3)
    names = [f"features.{name}" for name, _ in model.features.named_children()]
    channels = [96, 64, 80, 160, 160, 160, 160, 144, 240, 336, 336, 336]
    sides = [32, 32, 32, 15, 15, 15, 15, 15, 7, 7, 7, 1]
    assert shapes(model, names, torch.zeros(2, 3, 32, 32)) == [(c, s, s) for c, s in zip(channels, sides, strict=True)]


def test_minigooglenet_units_are_convolution_norm_relu_without_bias() -> None:
    model = MiniGoogLeNet(dropout=0.5)
    kinds = [type(module) for module in model.modules()]
    assert kinds.count(nn.Conv2d) == kinds.count(nn.BatchNorm2d) == kinds.count(nn.ReLU) == 1 + 8 * 2 + 2
    assert all(module.bias is None for module in model.modules() if isinstance(module, nn.Conv2d))
    assert [module.p for module in model.modules() if isinstance(module, nn.Dropout)] == [0.5]


def test_minigooglenet_branches_join_in_the_tables_order() -> None:
    model = MiniGoogLeNet().eval()
    block, downsample = model.features.inception_1, model.features.downsample_1
    with torch.no_grad():
        maps = torch.rand(1, 96, 9, 9)
        assert torch.equal(block(maps)[:, :32], block.ones(maps))
        maps = torch.rand(1, 80, 9, 9)
        assert torch.equal(downsample(maps)[:, 80:], F.max_pool2d(maps, 3, stride=2))
