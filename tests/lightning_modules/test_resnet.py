"""ResNet: its stages, both shortcuts, initial values."""

import math

import pytest
import torch
from torch import nn

from lightning_modules import ResNet
from tests.lightning_modules.conftest import shapes


@pytest.mark.parametrize("shortcut", ["A", "B"])
def test_resnet_stages(shortcut: str) -> None:
    model = ResNet(depth=20, shortcut=shortcut)
    maps = shapes(model, ["conv", "stage1", "stage2", "stage3"], torch.zeros(2, 3, 32, 32))
    assert maps == [(16, 32, 32), (16, 32, 32), (32, 16, 16), (64, 8, 8)]
    weighted = [m for name, m in model.named_modules() if isinstance(m, nn.Conv2d | nn.Linear) and "short" not in name]
    assert len(weighted) == 20


@pytest.mark.parametrize("shortcut", ["A", "B"])
@pytest.mark.parametrize("image_size", [1, 7, 28])
def test_resnet_takes_any_image_size(shortcut: str, image_size: int) -> None:
    model = ResNet(depth=8, shortcut=shortcut, image_size=image_size).eval()
    assert model(torch.randn(2, 3, image_size, image_size)).shape == (2, 10)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_shortcut_a_is_the_identity_on_every_second_pixel_with_zeros_behind(memory_format: torch.memory_format) -> None:
    shortcut = ResNet(depth=8).stage2[0].shortcut
    maps = torch.randn(2, 16, 8, 8).to(memory_format=memory_format)
    joined = shortcut(maps)
    assert torch.equal(joined[:, :16], maps[:, :, ::2, ::2])
    assert joined.shape == (2, 32, 4, 4)
    assert not joined[:, 16:].any()
    assert joined.is_contiguous(memory_format=memory_format)
    assert not list(shortcut.parameters())


def test_resnet_starts_from_hes_draw() -> None:
    torch.manual_seed(0)
    for module in ResNet(shortcut="B").modules():
        if isinstance(module, nn.Conv2d):
            fan_out = module.out_channels * module.kernel_size[0] ** 2
            slack = 4 / math.sqrt(2 * module.weight.numel())
            assert module.weight.std().item() == pytest.approx(math.sqrt(2 / fan_out), rel=slack)


def test_zero_init_last_gamma_makes_every_block_its_shortcut() -> None:
    torch.manual_seed(0)
    images = torch.rand(2, 16, 8, 8)
    usual, zero = ResNet(depth=14), ResNet(depth=14, zero_init_last_gamma=True)
    assert torch.equal(zero.stage1(images), images)
    assert not torch.equal(usual.stage1(images), images)
    gammas = {name: p for name, p in zero.named_parameters() if "bn" in name and name.endswith("weight")}
    assert all(bool(gamma.eq(0).all()) == name.endswith("bn2.weight") for name, gamma in gammas.items())
