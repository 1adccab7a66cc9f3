"""The gradient check: right on every architecture, blind to no bug, and silent at a kink."""

import inspect
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import lightning_modules
from inspection.gradient_check import NS, GradientCheck, central_differences, check_gradient, shifts, verdict
from inspection.kinks import changed_sides
from inspection.parameter_choice import parameter_name
from inspection.sample_loss import SampleLoss, ShiftedLoss
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
)

DIGITS = {"in_channels": 1, "image_size": 8}
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
    pytest.param(AlexNet, {}, marks=pytest.mark.slow),
    pytest.param(VGG19, {}, marks=pytest.mark.slow),
]


def sample_of(model: type[ImageClassifier], options: dict[str, Any]) -> SampleLoss:
    torch.manual_seed(1)
    defaults = {name: p.default for name, p in inspect.signature(model).parameters.items()} | options
    side = defaults["image_size"]
    images = torch.randn(1, defaults["in_channels"], side, side)
    return SampleLoss(model(**options), images, torch.tensor([3]), F.cross_entropy)


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
    """Linear, sine, linear; the sine's backward is right, wrong, or none."""

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
    assert listed == set(lightning_modules.__all__) - exempt


def test_the_first_layer_of_a_convolutional_network_with_a_channels_last_layout() -> None:
    sample = sample_of(SmallCNN, DIGITS)
    plain = check_gradient(sample, "conv2", weights=4)
    sample.model.setup("fit")  # type: ignore[operator]
    last = check_gradient(sample, "conv2", weights=4)
    np.testing.assert_allclose(last.double.gradient, plain.double.gradient, rtol=1e-12)


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
    monkeypatch.setattr("inspection.sample_loss.MEMORY", 20_000)
    parts = check_gradient(sample, weights=3)
    np.testing.assert_allclose(parts.double.numeric, whole.double.numeric, atol=1e-9)
    assert (parts.kinks == whole.kinks).all() and parts.verdicts == whole.verdicts


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


def test_names() -> None:
    model = MLP(hidden_sizes=[20, 10])
    assert parameter_name(model) == "layers.linear_2.weight"
    assert parameter_name(model, "layers.output") == "layers.output.weight"
    assert parameter_name(model, "layers.output.bias") == "layers.output.bias"
    assert parameter_name(nn.Linear(2, 2)) == "weight" and parameter_name(nn.BatchNorm1d(3)) == "bias"


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
