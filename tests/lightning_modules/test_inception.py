"""Inception blocks, naive and reduced: multiplications, gradients, and what they join."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lightning_modules import NaiveInception, ReducedInception


def multiplications(block: nn.Module, side: int) -> int:
    total = 0

    def add(module: nn.Conv2d, inputs: tuple[Tensor], output: Tensor) -> None:
        nonlocal total
        total += math.prod(output.shape[2:]) * module.weight.numel()

    convolutions = [module for module in block.modules() if isinstance(module, nn.Conv2d)]
    handles = [convolution.register_forward_hook(add) for convolution in convolutions]
    block(torch.empty(1, 256, side, side, device="meta"))
    for handle in handles:
        handle.remove()
    return total


@pytest.mark.parametrize(
    ("block", "channels", "on_32", "on_28"),
    [
        (NaiveInception, 672, 1_115_684_864, 854_196_224),
        (ReducedInception, 480, 354_418_688, 271_351_808),
    ],
)
def test_inception_blocks(block: type[nn.Module], channels: int, on_32: int, on_28: int) -> None:
    with torch.device("meta"):
        built = block()
    assert built(torch.empty(2, 256, 32, 32, device="meta")).shape == (2, channels, 32, 32)
    assert multiplications(built, 32) == on_32
    assert multiplications(built, 28) == on_28
    assert sum(p.numel() for p in built.parameters()) * 32**2 == on_32


@pytest.mark.parametrize("block", [NaiveInception, ReducedInception])
def test_inception_blocks_run_and_reach_every_parameter(block: type[nn.Module]) -> None:
    torch.manual_seed(0)
    built = block(in_channels=8).double()
    maps = torch.randn(2, 8, 6, 6, dtype=torch.float64)
    before = maps.clone()
    joined = built(maps)
    joined.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() and p.grad.any() for p in built.parameters())
    assert torch.equal(maps, before)
    torch.testing.assert_close(built(maps.to(memory_format=torch.channels_last)), joined)
    with pytest.raises(ValueError, match="in_channels"):
        block(in_channels=0)


def test_the_naive_block_passes_its_pooled_input_on_unchanged() -> None:
    maps = -torch.rand(1, 8, 5, 5)
    assert torch.equal(NaiveInception(8)(maps)[:, -8:], F.max_pool2d(maps, 3, stride=1, padding=1))
