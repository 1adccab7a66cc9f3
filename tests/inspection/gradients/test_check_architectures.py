"""The gradient check agrees on every architecture, gives the same batched and one by one, and changes no module."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import lightning_modules
from inspection.gradients.check import NS, GradientCheck, central_differences, check_gradient
from inspection.gradients.parameter_choice import parameter_name
from inspection.gradients.sample_loss import SampleLoss, ShiftedLoss
from lightning_modules import (
    MLP,
    VGG19,
    AlexNet,
    ImageClassifier,
    MiniGoogLeNet,
    NaiveInception,
    ReducedInception,
    ResNet,
    SmallCNN,
    StridedCNN,
    ThirteenLayerCNN,
    TorchvisionModel,
)
from tests.inspection.conftest import DIGITS, sample_of

CASES: list[Any] = [
    (MLP, {"hidden_sizes": [20, 10]}),
    (MLP, {"hidden_sizes": [20], "activation": "sigmoid", "dropout_input": 0.2, "dropout_hidden": 0.5}),
    (MLP, {"hidden_sizes": [20], "activation": "tanh", "init": "glorot"}),
    (SmallCNN, DIGITS),
    (ThirteenLayerCNN, DIGITS),
    (StridedCNN, DIGITS),
    (ResNet, {"depth": 8, "shortcut": "A"} | DIGITS),
    (ResNet, {"depth": 8, "shortcut": "B"} | DIGITS),
    (MiniGoogLeNet, {}),
    (TorchvisionModel, {"name": "resnet18", "in_channels": 1, "image_size": 33}),
    pytest.param(AlexNet, {}, marks=pytest.mark.slow),
    pytest.param(VGG19, {}, marks=pytest.mark.slow),
]


def expect_agreement(found: GradientCheck) -> None:
    assert "wrong" not in found.verdicts
    free = found.kinks == 0
    settled = [i for i in range(len(free)) if free[i].sum() > 1]
    assert all(found.verdicts[i] == "agrees" for i in settled)


@pytest.mark.parametrize(("model", "options"), CASES)
def test_every_architecture_is_right(model: type[ImageClassifier], options: dict[str, Any]) -> None:
    sample = sample_of(model, options)
    last = [name for name, parameter in sample.model.named_parameters() if parameter.ndim == 2][-1]
    early = {AlexNet: "features.4", VGG19: "features.34"}.get(model)  # early layers of the large two take too long
    expect_agreement(check_gradient(sample, early, weights=3, ns=(100, 1000, 10_000, 50_000, 100_000)))
    found = check_gradient(sample, last, weights=10)
    assert found.verdicts == ["agrees"] * 10  # behind it, the loss is smooth
    assert not found.kinks.any() and found.double.largest.min() < 1e-8


@pytest.mark.parametrize("model", [NaiveInception, ReducedInception])
def test_a_module_that_is_no_classifier(model: Any) -> None:
    torch.manual_seed(1)
    sample = SampleLoss(model(8), torch.randn(1, 8, 4, 4), torch.zeros(1), lambda maps, _: maps.square().mean())
    found = check_gradient(sample, weights=4)
    assert found.parameter.endswith("weight") and "wrong" not in found.verdicts and "agrees" in found.verdicts


def test_every_architecture_is_among_them() -> None:
    listed = {model.__name__ for model, *_ in (getattr(case, "values", case) for case in CASES)}
    exempt = {"ImageClassifier", "NaiveInception", "ReducedInception"}  # a base, and two of the test above
    exempt |= {"TimmModel"}  # whose library is an extra
    assert listed == set(lightning_modules.__all__) - exempt


def test_the_first_layer_of_a_convolutional_network_with_a_channels_last_layout() -> None:
    sample = sample_of(SmallCNN, DIGITS)
    plain = check_gradient(sample, "conv2", weights=4)
    sample.model.setup("fit")  # type: ignore[operator]
    last = check_gradient(sample, "conv2", weights=4)
    np.testing.assert_allclose(last.double.gradient, plain.double.gradient, rtol=1e-12)


@pytest.mark.parametrize(
    ("model", "options", "layer"),
    [
        (MLP, {"hidden_sizes": [20, 10]} | DIGITS, None),
        (SmallCNN, DIGITS, "conv1"),
        (ThirteenLayerCNN, DIGITS, "features.9"),
        (ResNet, {"depth": 8} | DIGITS, "stage2.0.bn1.bias"),
        (ResNet, {"depth": 8} | DIGITS, "conv"),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_batched_equals_the_loop(
    model: type[ImageClassifier], options: dict[str, Any], layer: str | None, dtype: torch.dtype
) -> None:
    sample = sample_of(model, options)
    loss = ShiftedLoss(sample, parameter_name(sample.model, layer), 3, dtype)
    batched, loop = central_differences(loss, NS), central_differences(loss, NS, batched=False)
    assert batched.batched and not loop.batched
    atol = 60 * torch.finfo(dtype).eps * max(1, batched.loss) * np.array(NS)
    assert (np.abs(batched.numeric - loop.numeric) <= atol).all()


def test_what_defies_batching_runs_in_the_loop() -> None:
    sample = sample_of(ResNet, {"depth": 8, "shortcut": "B"} | DIGITS)  # adds in place to what is not perturbed
    found = check_gradient(sample, "stage2.0.shortcut.0", weights=3)
    assert not found.double.batched and "wrong" not in found.verdicts


def test_few_copies_at_once_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = sample_of(MLP, {"hidden_sizes": [20, 10]} | DIGITS)
    whole = check_gradient(sample, weights=3)
    monkeypatch.setattr("inspection.gradients.sample_loss.MEMORY", 20_000)
    parts = check_gradient(sample, weights=3)
    np.testing.assert_allclose(parts.double.numeric, whole.double.numeric, atol=1e-9)
    assert (parts.kinks == whole.kinks).all() and parts.verdicts == whole.verdicts


def test_a_module_is_left_as_it_was() -> None:
    sample = sample_of(ResNet, {"depth": 8} | DIGITS)
    sample.model.train()
    sample.model.get_submodule("stage2").eval()
    modes = [module.training for module in sample.modules()]
    before = {name: value.clone() for name, value in sample.model.state_dict().items()}
    check_gradient(sample, weights=2, ns=(100, 1000))
    assert [module.training for module in sample.modules()] == modes
    after = sample.model.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert all(parameter.grad is None for parameter in sample.model.parameters())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in sample.modules())


def test_a_forward_that_works_in_place_on_its_input_and_its_buffers() -> None:
    class Busy(nn.Linear):
        calls: Tensor

        def __init__(self) -> None:
            super().__init__(4, 3)
            self.register_buffer("calls", torch.zeros(()))

        def forward(self, values: Tensor) -> Tensor:
            self.calls += 1
            return super().forward(values.mul_(2))

    images = torch.ones(1, 4)
    sample = SampleLoss(Busy(), images, torch.tensor([1]), F.cross_entropy)
    assert set(check_gradient(sample).verdicts) == {"agrees"}
    assert torch.equal(images, torch.ones(1, 4)) and float(sample.model.calls) == 0  # type: ignore[arg-type]
