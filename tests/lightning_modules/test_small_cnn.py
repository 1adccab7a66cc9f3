"""SmallCNN: the layer table, and the usual order of layers."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from lightning_modules import SmallCNN
from tests.lightning_modules.conftest import counts_by_layer, shapes


def usual_forward(model: SmallCNN, images: Tensor) -> Tensor:
    """The forward pass with ReLU before the pooling."""
    maps = F.max_pool2d(F.relu(F.conv2d(images, model.conv1.weight, model.conv1.bias, padding=1)), 2)
    maps = F.max_pool2d(F.relu(F.conv2d(maps, model.conv2.weight, model.conv2.bias, padding=1)), 2)
    return F.linear(maps.reshape(len(maps), -1), model.fc1.weight, model.fc1.bias)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_relu_may_follow_the_pooling(ties: bool, memory_format: torch.memory_format) -> None:
    torch.manual_seed(0)
    model = SmallCNN().double()
    images = torch.randn(16, 1, 28, 28, dtype=torch.float64)
    if ties:
        # Small integers everywhere: windows full of equal values, zeros among them, and exact arithmetic.
        images = images.round()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.copy_(torch.randint(-1, 2, parameter.shape))
    images = images.to(memory_format=memory_format)
    labels = torch.arange(16) % 10
    outputs, gradients = [], []
    for forward in (model, lambda batch: usual_forward(model, batch)):
        model.zero_grad()
        outputs.append(forward(images))
        F.nll_loss(F.log_softmax(outputs[-1], dim=1), labels).backward()
        gradients.append([parameter.grad.clone() for parameter in model.parameters()])
    torch.testing.assert_close(*outputs, rtol=1e-12, atol=1e-12)
    for ours, usual in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, usual, rtol=1e-10, atol=1e-12)


def test_small_cnn_layer_table() -> None:
    model = SmallCNN()
    assert counts_by_layer(model) == [160, 580, 1970]
    assert shapes(model, ["conv1", "conv2", "fc1"], torch.zeros(2, 1, 28, 28)) == [(16, 28, 28), (4, 14, 14), (10,)]
    assert SmallCNN(image_size=8).fc1.in_features == 16
