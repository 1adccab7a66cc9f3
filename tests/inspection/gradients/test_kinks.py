"""The gradient check reports no error at a kink, and names the layer with the kink."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inspection.gradients.check import NS, GradientCheck, check_gradient, shifts
from inspection.gradients.kinks import changed_sides
from inspection.gradients.sample_loss import SampleLoss, ShiftedLoss
from inspection.gradients.verdict import verdict
from lightning_modules import SmallCNN
from tests.inspection.conftest import sample_of


class _Kinked(nn.Module):
    """Two weights: the first has a kink at 0.5, the second has none."""

    def __init__(self, weight: float, kink: str) -> None:
        super().__init__()
        self.weight, self.kink = nn.Parameter(torch.tensor([weight, 3.0])), kink
        self.act, self.pool = nn.ReLU(inplace=True), nn.MaxPool1d(2)

    def forward(self, values: Tensor) -> Tensor:
        if self.kink == "relu":
            return self.act(self.weight[:1] - 0.5) + self.weight[1] ** 3
        if self.kink == "abs":
            return (self.weight[:1] - 0.5).abs_() + self.weight[1] ** 3
        if self.kink == "clamp":
            return self.weight[:1].clamp(-1, 0.5) + self.weight[1] ** 3
        return self.pool(torch.stack((self.weight[0], values[0, 0])).reshape(1, 1, 2)) + self.weight[1] ** 3


def kinked(weight: float, kink: str) -> SampleLoss:
    return SampleLoss(_Kinked(weight, kink), torch.tensor([[0.5]]), torch.zeros(1), lambda out, _: out.sum())


@pytest.mark.parametrize(
    ("kink", "site"),
    [("relu", "act - relu"), ("pool", "pool - max_pool1d"), ("clamp", "model - clamp"), ("abs", "model - abs")],
)
def test_a_kink_is_reported_within_the_step_and_not_as_a_failure(kink: str, site: str) -> None:
    found = check_gradient(kinked(0.5 + 1 / 700, kink))
    assert found.kinks[0].tolist() == [int(1 / n > 1 / 700) for n in NS]
    assert not found.kinks[1].any() and found.verdicts == ["agrees", "agrees"]
    assert abs(found.double.difference[0, 0]) > 0.4 and abs(found.double.difference[0, -1]) < 1e-8
    assert [name for name in found.kinks_by_layer if site in name] == list(found.kinks_by_layer)
    at_it = check_gradient(kinked(0.5, kink))
    first = "agrees" if kink == "abs" else "kink"  # at 0, autograd's slope of |x| is the mean of both
    assert at_it.kinks[0].tolist() == [1] * len(NS) and at_it.verdicts == [first, "agrees"]


@pytest.mark.parametrize("how", ["pool", "relu"])
def test_equal_up_to_rounding_is_no_kink(how: str) -> None:
    class Equal(_Kinked):
        def forward(self, values: Tensor) -> Tensor:
            one, same = self.weight[0] * 0.1 * 3, self.weight[0] * 0.3
            if how == "pool":
                return self.pool(torch.stack((one, same)).reshape(1, 1, 2))
            return self.act(torch.stack((one - same, self.weight[0])))

    found = check_gradient(SampleLoss(Equal(1.7, ""), torch.ones(1, 1), torch.zeros(1), lambda out, _: out.sum()))
    assert not found.kinks.any() and found.verdicts == ["agrees", "agrees"]


def test_the_border_s_equal_pixels_are_no_kink() -> None:
    sample = sample_of(SmallCNN, {"in_channels": 1, "image_size": 28})
    sample.images.zero_()
    loss = ShiftedLoss(sample, "conv2.bias", 4, torch.float64)
    counts, _ = changed_sides(loss, shifts(loss, (10_000, 500_000)))
    assert counts.shape[0] == 8 and not counts.any()


class _Between(nn.Module):
    """Two linear layers, and behind the first, whose biases are given, an operation with a kink."""

    def __init__(self, operation: Callable[[Tensor], Tensor], bias: float) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.first, self.second, self.operation = nn.Linear(4, 6), nn.Linear(6, 3), operation
        nn.init.constant_(self.first.bias, bias)

    def forward(self, values: Tensor) -> Tensor:
        return self.second(self.operation(self.first(values)))


def between(operation: Callable[[Tensor], Tensor], bias: float) -> GradientCheck:
    sample = SampleLoss(_Between(operation, bias), torch.zeros(1, 4), torch.tensor([1]), F.cross_entropy)
    return check_gradient(sample, "first.bias")


SEEN: list[tuple[str, float, Callable[[Tensor], Tensor]]] = [
    ("relu", 0, lambda h: torch.relu(input=h)),
    ("clamp", 0, lambda h: torch.clamp(input=h, min=0)),
    ("relu6", 0, F.relu6),
    ("relu6", 6, F.relu6),
    ("hardtanh", 6, nn.ReLU6()),
    ("selu", 0, F.selu),
    ("selu", 0, nn.SELU(inplace=True)),
    ("elu", 0, partial(F.elu, alpha=2.0)),
    ("threshold", 0, partial(F.threshold, threshold=0.0, value=0.0)),
    ("threshold", 0.5, nn.Threshold(0.5, 0.5)),
    ("rrelu", 0, nn.RReLU()),
    ("rrelu", 0, F.rrelu),
    ("hardswish", -3, F.hardswish),
    ("hardsigmoid", 3, F.hardsigmoid),
    ("softshrink", 0.5, F.softshrink),
    ("gt", 0, lambda h: torch.where(h > 0, h, 0.1 * h)),
    ("gt", 0, lambda h: h * (h > 0)),
    ("ge", 0.5, lambda h: torch.where(torch.ge(input=h, other=0.5), h, 0.5)),
]


@pytest.mark.parametrize(("name", "bias", "operation"), SEEN)
def test_a_kink_at_the_weight_itself_is_no_failure(
    name: str, bias: float, operation: Callable[[Tensor], Tensor]
) -> None:
    found = between(operation, bias)
    assert found.verdicts == ["kink"] * 6
    (site,) = found.kinks_by_layer
    assert site.endswith(f"- {name}")


@pytest.mark.parametrize(
    ("name", "operation"),
    [
        ("maximum", lambda h: torch.maximum(h, torch.tensor(0.5))),
        ("minimum", lambda h: torch.minimum(input=h, other=torch.tensor(0.5))),
        ("max", lambda h: torch.max(h, torch.tensor(0.5))),
        ("max", lambda h: torch.stack((h, 0 * h + 0.5)).max(dim=0).values),
        ("min", lambda h: torch.stack((h, 0 * h + 0.5)).min(0)[0]),
        ("amax", lambda h: torch.stack((h, 0 * h + 0.5)).amax((0,))),
        ("amin", lambda h: torch.stack((h, 0 * h + 0.5), -1).amin(-1, keepdim=True).flatten(1)),
        ("max", lambda h: h * torch.stack((h[0, 0], h[0, 0] * 0 + 0.5)).max()),
    ],
)
def test_maxima_and_minima_near_the_weight_are_seen_at_the_steps_that_cross(
    name: str, operation: Callable[[Tensor], Tensor]
) -> None:
    found = between(operation, 0.5 + 1 / 700)
    assert found.kinks[0].tolist() == [int(n < 700) for n in NS]
    assert found.verdicts == ["agrees"] * 6
    assert [site.endswith(f"- {name}") for site in found.kinks_by_layer] == [True]


@pytest.mark.parametrize("operation", [F.elu, partial(F.celu, alpha=2.0), F.softplus, lambda h: h.abs().square()])
def test_what_is_smooth_at_zero_agrees(operation: Callable[[Tensor], Tensor]) -> None:
    assert between(operation, 0).verdicts == ["agrees"] * 6


@pytest.mark.parametrize(
    "operation",
    [
        lambda h: torch.stack((h, 0 * h)).sort(dim=0).values[1],
        lambda h: torch.stack((h, 0 * h)).topk(1, dim=0).values[0],
        lambda h: torch.stack((h, 0 * h, 0 * h - 1)).median(dim=0).values,
    ],
)
@pytest.mark.parametrize("bias", [0, 1e-6, 1e-5, 1e-3])
def test_a_kink_that_is_not_counted_is_no_failure_either(operation: Callable[[Tensor], Tensor], bias: float) -> None:
    found = between(operation, bias)
    assert "wrong" not in found.verdicts and not found.kinks.any()
    assert set(found.verdicts) == {"kink"} if bias < 1e-5 else {"agrees"}


@pytest.mark.parametrize("factor", [2.0, 1.001, 0.999, 0.0, -1.0])
@pytest.mark.parametrize("bias", [0.0, 0.3])
def test_a_wrong_backward_behind_a_kink_that_is_not_counted_is_still_wrong(factor: float, bias: float) -> None:
    def scaled(hidden: Tensor) -> Tensor:
        right = torch.stack((hidden + 1, 0 * hidden)).sort(dim=0).values[1].exp()
        return right * factor + (right * (1 - factor)).detach()  # its value, and factor times its gradient

    assert set(between(scaled, bias).verdicts) == {"wrong"}


def test_a_slope_outside_both_at_a_kink_is_wrong() -> None:
    ns = np.array([10, 100, 1000])
    bend, free, slopes = np.ones(3), np.ones(3, bool), np.full(3, 2.0)  # 1.5 behind and 2.5 ahead
    assert [verdict(slopes, slope, free, ns, 1e-14, bend) for slope in (1.5, 2.5)] == ["kink", "kink"]
    assert [verdict(slopes, slope, free, ns, 1e-14, bend) for slope in (1.4, 2.6)] == ["wrong", "wrong"]
    assert verdict(slopes, 2.4, free, ns, 1e-14, 10.0 / ns) == "wrong"  # curved, but smooth


def test_differences_that_come_to_autograd_s_value_at_smaller_steps_are_not_wrong() -> None:
    ns, free = np.array([10, 100, 1000, 10_000]), np.ones(4, bool)
    assert verdict(np.array([2.5, 2.5, 2.5, 2.0]), 2.0, free, ns, 1e-14) == "kink"
    assert verdict(np.array([2.5, 2.5, 2.5, 2.2]), 2.0, free, ns, 1e-14) == "wrong"
    assert verdict(np.array([2.5, 2.5, 2.5, 2.0]), 2.0, free, ns, 1e-5) == "wrong"  # as round-off may have it
