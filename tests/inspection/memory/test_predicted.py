"""Predicted bytes against what real tensors hold, and against arithmetic."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._pytree import tree_leaves

import optimizers
from inspection.memory.live_bytes import LiveBytes
from inspection.memory.predicted import predict
from lightning_modules import MLP, MiniGoogLeNet, ResNet, SmallCNN


def on_meta(model: Callable[..., nn.Module], **options: Any) -> nn.Module:
    with torch.device("meta"):
        return model(**options)


def test_a_network_counted_by_hand() -> None:
    memory = predict(on_meta(lambda: nn.Sequential(nn.Conv2d(1, 2, 3), nn.Sigmoid(), nn.Flatten())), (1, 6, 6), 10)
    maps, classes = 10 * 2 * 16 * 4, 10 * 32 * 4
    assert (memory.parameters, memory.buffers, memory.images) == (80, 0, 10 * 36 * 4)
    assert (memory.gradients, memory.optimizer_state) == (80, 0)
    # sigmoid keeps its output, log_softmax its own; the loss keeps the labels and the sum of their weights
    assert memory.kept_for_backward == maps + classes + 10 * 8 + 4
    assert memory.forward == 80 + 10 * 36 * 4 + 2 * maps
    assert memory.training_step >= 80 * 2 + 10 * 36 * 4 + memory.kept_for_backward


@pytest.mark.parametrize(
    ("model", "shape"), [(SmallCNN, (1, 28, 28)), (lambda: ResNet(depth=14), (3, 32, 32)), (MiniGoogLeNet, (1, 32, 32))]
)
def test_kept_for_backward_is_what_a_real_pass_keeps(model: Callable[..., nn.Module], shape: tuple[int, ...]) -> None:
    real = model().train()
    images, labels = torch.randn(4, *shape), torch.zeros(4, dtype=torch.long)
    kept: dict[int, Tensor] = {}

    def pack(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.detach()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        F.cross_entropy(real(images), labels)
    fixed = {t.untyped_storage().data_ptr() for t in (images, *real.parameters(), *real.buffers())}
    held = sum(t.untyped_storage().nbytes() for key, t in kept.items() if key not in fixed)
    assert predict(on_meta(model), shape, 4).kept_for_backward == held


@pytest.mark.parametrize("name", list(optimizers.CAPABILITIES))
def test_optimizer_state_is_what_a_real_optimizer_holds(name: str) -> None:
    make = getattr(optimizers, name)
    real = nn.Linear(30, 20)
    real.weight.grad, real.bias.grad = torch.ones_like(real.weight), torch.ones_like(real.bias)
    optimizer = make(list(real.parameters()))
    optimizer.step()
    held = sum(leaf.nbytes for leaf in tree_leaves(list(optimizer.state.values())) if isinstance(leaf, Tensor))
    assert predict(on_meta(nn.Linear, in_features=30, out_features=20), (1, 30), 2, make).optimizer_state == held


def test_adam_holds_two_values_a_parameter_and_momentum_one() -> None:
    bytes_of = {}
    for name, options in (("Adam", {}), ("SGD", {"momentum": 0.9})):
        memory = predict(on_meta(MLP), (1, 28, 28), 2, partial(getattr(optimizers, name), **options))
        bytes_of[name] = memory.optimizer_state // memory.parameters
    assert bytes_of == {"Adam": 2, "SGD": 1}


def test_precision_and_batch_size_scale() -> None:
    wide, narrow = (predict(on_meta(SmallCNN), (1, 28, 28), 8, precision=name) for name in ("32-true", "bf16-true"))
    assert (wide.parameters, wide.images) == (2 * narrow.parameters, 2 * narrow.images)
    double = predict(on_meta(SmallCNN), (1, 28, 28), 16)
    assert double.images == 2 * wide.images and double.parameters == wide.parameters
    assert abs(double.kept_for_backward / wide.kept_for_backward - 2) < 1e-3
    with pytest.raises(ValueError, match=r"precision must be one of .*: choose"):
        predict(on_meta(SmallCNN), (1, 28, 28), 8, precision="8")


def test_a_frozen_module_has_no_gradients() -> None:
    memory = predict(on_meta(SmallCNN).requires_grad_(False), (1, 28, 28), 2)
    assert (memory.gradients, memory.optimizer_state, memory.kept_for_backward) == (0, 0, 0)


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_live_bytes_go_down_as_they_come(device: str) -> None:
    standing = torch.empty(100, device=device)
    with LiveBytes([standing]) as live:
        first = standing * 2
        view = first[10:]
        second = first + 1
        assert live.now == 800
        del first
        assert live.now == 800  # the view holds it
        del view
        assert live.now == 400
        standing.mul_(2)
        del second
    assert (live.now, live.peak) == (0, 800)
