"""The gradient check's differences and verdicts: it finds wrong backward passes, and its errors name the mistake."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inspection.gradients.check import NS, check_gradient
from inspection.gradients.parameter_choice import parameter_name
from inspection.gradients.sample_loss import SampleLoss
from inspection.gradients.verdict import verdict
from lightning_modules import MLP
from tests.inspection.conftest import DIGITS, sample_of


class _WrongProduct(torch.autograd.Function):
    """sin(x), whose backward passes the gradient on times a constant."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        return values.sin()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        return gradient * ctx.factor, None  # where cos(values) * gradient is right


class _Sine(nn.Module):
    """Linear, sine, linear; the sine's backward is right, wrong, or missing."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.first, self.second, self.how = nn.Linear(6, 5), nn.Linear(5, 3), how

    def forward(self, values: Tensor) -> Tensor:
        hidden = self.first(values)
        if self.how == "wrong":
            hidden = _WrongProduct.apply(hidden, 1.0)
        elif self.how == "detached":
            hidden = hidden.detach().sin()
        else:
            hidden = hidden.sin()
        return self.second(hidden)


def sine(how: str, loss: Any = F.cross_entropy) -> SampleLoss:
    torch.manual_seed(2)
    return SampleLoss(_Sine(how), torch.randn(1, 6), torch.tensor([1]), loss)


def test_a_wrong_backward_is_caught_and_only_in_front_of_it() -> None:
    assert set(check_gradient(sine("right"), "first").verdicts) == {"agrees"}
    assert set(check_gradient(sine("wrong"), "first").verdicts) == {"wrong"}
    assert set(check_gradient(sine("detached"), "first").verdicts) == {"wrong"}
    assert set(check_gradient(sine("wrong"), "second").verdicts) == {"agrees"}


@pytest.mark.parametrize("factor", [1.001, 0.999, -1.0])
def test_a_slightly_wrong_backward_in_a_relu_network_is_caught(factor: float) -> None:
    class Scaled(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, values: Tensor) -> Tensor:
            return values.relu()

        @staticmethod
        def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
            return gradient * factor

    class Net(_Sine):
        def forward(self, values: Tensor) -> Tensor:
            return self.second(Scaled.apply(self.first(values).abs() + 1))

    torch.manual_seed(2)
    found = check_gradient(SampleLoss(Net(""), torch.randn(1, 6), torch.tensor([1]), F.cross_entropy), "first")
    assert set(found.verdicts) == {"wrong"} and not found.double.batched


def test_differences_are_the_definition_s() -> None:
    class Cube(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.tensor([0.5, -2.0, 1.5]))

        def forward(self, values: Tensor) -> Tensor:
            return (self.weight**3 * values).sum()

    factors = torch.tensor([[1.0, 2.0, -3.0]])
    found = check_gradient(SampleLoss(Cube(), factors, torch.zeros(1), lambda out, _: out), weights=10, ns=(2, 10, 50))
    theta, factor = np.array([0.5, -2.0, 1.5]), np.array([1.0, 2.0, -3.0])
    np.testing.assert_allclose(found.double.gradient, 3 * theta**2 * factor)
    np.testing.assert_allclose(found.double.difference, factor[:, None] / np.array([2, 10, 50]) ** 2, rtol=1e-9)
    assert found.double.best(found.ns) == 50 and found.kinks.shape == (3, 3) and not found.kinks.any()


def test_the_error_falls_as_the_square_of_the_step_until_round_off() -> None:
    found = check_gradient(sample_of(MLP, {"hidden_sizes": [20], "activation": "tanh"} | DIGITS), "layers.linear_1")
    largest = dict(zip(NS, found.double.largest, strict=True))
    assert largest[10] / largest[100] == pytest.approx(100, rel=0.01)
    assert largest[100] / largest[1000] == pytest.approx(100, rel=0.01)
    assert largest[500_000] > largest[50_000]  # round-off
    single = dict(zip(NS, found.single.largest, strict=True))
    assert single[500_000] > 100 * min(single.values()) and min(single.values()) > 100 * min(largest.values())
    best, best_single = found.double.best(found.ns), found.single.best(found.ns)
    assert best is not None and best_single is not None
    assert 0.01 < best * found.double.theory < 10 and 0.01 < best_single * found.single.theory < 10
    assert found.double.theory == pytest.approx(6.06e-6, rel=1e-2) and found.single.theory == pytest.approx(
        4.92e-3, 1e-2
    )


def test_weights_that_do_nothing() -> None:
    sample = sample_of(MLP, {"hidden_sizes": [5, 4], "init": "zero"} | DIGITS)
    found = check_gradient(sample, "layers.linear_1")
    assert set(found.verdicts) == {"agrees"} and found.double.best(found.ns) is None


def test_verdicts() -> None:
    ns, free = np.array([10, 100, 1000]), np.ones(3, bool)
    falling = 2.0 + 1e-2 / ns**2
    assert verdict(falling, 2.0, free, ns, 1e-14) == "agrees"
    assert verdict(falling, 2.001, free, ns, 1e-14) == "wrong"
    assert verdict(falling, 2.001, np.array([False, False, True]), ns, 1e-14) == "kink"
    assert verdict(np.array([5.0, 2.0, 2.0]), 2.0, np.array([False, True, True]), ns, 1e-14) == "agrees"
    assert verdict(falling * 1e-14, 4e-14, free, ns, 1e-14) == "unclear"
    assert verdict(np.array([2.0]), 2.0, free[:1], ns[:1], 1e-14) == "unclear"  # nothing to compare it with
    assert verdict(np.zeros(3), 0.0, free, ns, 1e-14) == "agrees"


def test_a_step_that_is_not_finite_is_left_out() -> None:
    ns, free, nan = np.array([1, 10, 100, 1000]), np.ones(4, bool), np.nan
    settled = np.array([nan, 2.0, 2.0, 2.0])
    for gone in (nan, np.inf, -np.inf):
        settled[0] = gone
        assert verdict(settled, 2.0, free, ns, 1e-14) == "agrees"
        assert verdict(settled, 2.001, free, ns, 1e-14) == "wrong"
        assert verdict(settled, 2.001, np.array([True, True, False, False]), ns, 1e-14) == "kink"
        assert verdict(settled, gone, free, ns, 1e-14) == "wrong"  # a gradient that is no number, of a smooth loss
    assert verdict(np.array([nan, nan, nan, 2.0]), 2.0, free, ns, 1e-14) == "unclear"
    assert verdict(np.full(4, nan), 2.0, free, ns, 1e-14) == "unclear"


@pytest.mark.parametrize("beyond", [torch.nan, torch.inf])
def test_a_loss_that_is_not_finite_at_large_steps(beyond: float) -> None:
    class Log(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.full((3,), 0.5))

        def forward(self, values: Tensor) -> Tensor:
            positive = self.weight.log().where(self.weight > 0, beyond)
            return (positive.where(self.weight < 1, beyond) * values).sum()

    found = check_gradient(SampleLoss(Log(), torch.ones(1, 3), torch.zeros(1), lambda out, _: out))
    assert found.verdicts == ["agrees"] * 3 and not np.isfinite(found.double.largest[0])
    best = found.double.best(found.ns)
    assert best is not None and found.double.largest[list(NS).index(best)] < 1e-8


def test_names() -> None:
    model = MLP(hidden_sizes=[20, 10])
    assert parameter_name(model) == "layers.linear_2.weight"
    assert parameter_name(model, "layers.output") == "layers.output.weight"
    assert parameter_name(model, "layers.output.bias") == "layers.output.bias"
    assert parameter_name(nn.Linear(2, 2)) == "weight" and parameter_name(nn.BatchNorm1d(3)) == "bias"


def test_a_shared_parameter_has_the_name_of_any_of_its_layers() -> None:
    model = nn.ModuleDict({"first": nn.Linear(4, 4), "second": nn.Linear(4, 4), "third": nn.Linear(4, 4)})
    model["third"].weight = model["first"].weight
    assert parameter_name(model, "third") == parameter_name(model, "third.weight") == "first.weight"
    assert parameter_name(model, "third.bias") == "third.bias"
    model["third"] = model["first"]
    assert parameter_name(model, "third") == "first.weight" and parameter_name(model, "third.bias") == "first.bias"


class _Random(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2))

    def forward(self, values: Tensor) -> Tensor:
        return (self.weight * torch.rand(2)).sum()


@pytest.mark.parametrize(
    ("model", "loss", "options", "expected"),
    [
        (nn.ReLU(), torch.sum, {}, "model ReLU has no parameters"),
        (MLP(**DIGITS), F.cross_entropy, {"layer": "layers.linear_2"}, "nearest: layers.linear_1"),
        (MLP(**DIGITS), F.cross_entropy, {"layer": "head"}, "there are layers.linear_1, layers.output"),
        (MLP(**DIGITS), F.cross_entropy, {"layer": "layers"}, "layer layers holds several parameters"),
        (MLP(**DIGITS), F.cross_entropy, {"weights": 0}, "weights must be at least 1, got 0"),
        (MLP(**DIGITS), F.cross_entropy, {"ns": (0, 1)}, "ns must be whole numbers from 1 on"),
        (MLP(**DIGITS), F.cross_entropy, {"ns": ()}, "ns must be"),
        (MLP(**DIGITS), lambda logits, _: logits, {}, "loss must return one number, got a tensor of shape (1, 10)"),
        (MLP(**DIGITS), lambda logits, _: logits.sum() * torch.inf, {}, "loss is"),
        (MLP(**DIGITS), None, {}, "loss is missing: MLP's training_step optimizes by itself"),
        (_Random(), lambda out, _: out, {}, "another loss at each call"),
    ],
)
def test_mistakes(model: nn.Module, loss: Any, options: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValueError) as caught:
        check_gradient(SampleLoss(model, torch.ones(1, 1, 8, 8), torch.tensor([3]), loss), **options)
    assert expected in str(caught.value) and "\n" not in str(caught.value)


def test_a_module_without_a_loss_is_told_to_bring_one() -> None:
    with pytest.raises(ValueError, match="loss is missing: Linear has no training_step"):
        SampleLoss(nn.Linear(2, 2), torch.ones(1, 2), torch.zeros(1))
