"""The gradient check is silent at a kink, and says where it is."""

import pytest
import torch
from torch import Tensor, nn

from inspection.gradient_check import NS, check_gradient, shifts
from inspection.kinks import changed_sides
from inspection.sample_loss import SampleLoss, ShiftedLoss
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
