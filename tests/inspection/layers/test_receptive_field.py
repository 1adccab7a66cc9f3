"""Receptive fields: the recurrence against arithmetic, and against the support of a gradient."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from inspection.layers.parametrized import is_layer
from inspection.layers.trace import trace
from lightning_modules import (
    MLP,
    VGG19,
    AlexNet,
    MiniGoogLeNet,
    NaiveInception,
    ReducedInception,
    ResNet,
    SmallCNN,
    StridedCNN,
    ThirteenLayerCNN,
)


def stacked(sizes: list[int], strides: list[int] | None = None) -> int:
    """Field of convolutions in a row, as traced."""
    with torch.device("meta"):
        layers = [nn.Conv2d(1, 1, *window) for window in zip(sizes, strides or [1] * len(sizes), strict=True)]
    fields = trace(nn.Sequential(*layers), (1, 128, 128)).fields
    assert fields is not None and fields[0] == replace(fields[1], dim=2)
    return fields[0].field


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 11])
@pytest.mark.parametrize("number", [1, 2, 3, 10])
def test_n_stacked_convolutions_see_nf_minus_n_plus_1(size: int, number: int) -> None:
    assert stacked([size] * number) == number * size - number + 1


def test_three_of_five_see_thirteen() -> None:
    assert stacked([5, 5, 5]) == 13
    assert stacked([3, 3]) == 5 and stacked([3, 3, 3]) == 7  # VGG, section 2.3
    assert stacked([11, 3, 5], [4, 2, 1]) == 51


def test_published_fields() -> None:
    with torch.device("meta"):
        models = (AlexNet(), VGG19())
    fields = []
    for model in models:
        rows = trace(model, (3, 224, 224)).layers
        fields.append([(r.fields[0].field, r.fields[0].jump) for r in rows if r.kind == "MaxPool2d" and r.fields])
    assert fields[0] == [(19, 8), (67, 16), (195, 32)]
    assert fields[1] == [(6, 2), (16, 4), (52, 8), (124, 16), (268, 32)]


class _Dense(TorchFunctionMode):
    """Means for maxima and identities for ReLUs: their gradients leave no pixel of a window out."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (torch.relu, torch.relu_, F.relu):
            return args[0] * 1
        if func in (torch.max_pool2d, F.max_pool2d):
            given = dict(zip(("kernel_size", "stride", "padding"), args[1:], strict=False)) | (kwargs or {})
            chosen = {key: given[key] for key in ("kernel_size", "stride", "padding") if given.get(key) is not None}
            return F.avg_pool2d(args[0], **chosen, ceil_mode=bool(given.get("ceil_mode")))
        return func(*args, **(kwargs or {}))


@contextmanager
def outputs_of(model: nn.Module) -> Iterator[dict[str, Tensor]]:
    """A copy of each layer's output; of the last run for a layer that runs several times."""
    found: dict[str, Tensor] = {}
    handles = [
        layer.register_forward_hook(lambda layer, _, out, name=name: found.__setitem__(name, out * 1))
        for name, layer in model.named_modules()
        if is_layer(layer)
    ]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def support(unit: Tensor, images: Tensor) -> list[tuple[int, int]]:
    """First and last row, first and last column of the pixels that change a unit."""
    (gradient,) = torch.autograd.grad(unit, images, retain_graph=True)
    moved = gradient[0].abs().sum(0)
    lines = [moved.sum(1 - side).nonzero().flatten().tolist() for side in (0, 1)]
    return [(line[0], line[-1]) for line in lines]


def features_of(model: type) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        with torch.device("meta"):
            features = model().features
        features.to_empty(device="cpu")
        for parameter in features.parameters():
            nn.init.normal_(parameter, std=0.05)
        return features

    return build


class Unlike(nn.Module):
    """Branches of unlike fields, a slice, a pad, a projection over channels last, a gate over the whole map."""

    def __init__(self) -> None:
        super().__init__()
        self.wide = nn.Conv2d(2, 4, 7, padding=3, stride=2)
        self.dilated = nn.Conv2d(2, 4, 3, padding=(2, 4), dilation=(2, 4), stride=2)
        self.mix = nn.Linear(4, 4)
        self.behind = nn.Conv2d(4, 4, 3)
        self.gated = nn.Identity()
        self.last = nn.Conv2d(4, 1, 3)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.wide(images) + self.dilated(images)
        maps = self.mix(maps.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        maps = self.behind(F.pad(maps[:, :, 1:, :-1], (1, 0, 0, 2)))
        return self.last(maps * torch.sigmoid(maps.mean((2, 3), keepdim=True)))


# model, shape, and of how many layers each: a backward pass a unit
CASES: list[tuple[Callable[[], nn.Module], tuple[int, int, int], int]] = [
    (features_of(AlexNet), (3, 160, 140), 1),
    (features_of(VGG19), (3, 70, 64), 6),
    (MiniGoogLeNet, (1, 32, 32), 3),
    (lambda: ResNet(depth=44), (3, 32, 40), 11),
    (lambda: ResNet(depth=8, shortcut="B"), (3, 32, 32), 1),
    (SmallCNN, (1, 28, 28), 1),
    (StridedCNN, (1, 28, 28), 1),
    (ThirteenLayerCNN, (3, 32, 32), 1),
    (lambda: MLP(hidden_sizes=[20, 10]), (1, 28, 28), 1),
    (lambda: NaiveInception(8), (8, 12, 12), 1),
    (lambda: ReducedInception(8), (8, 12, 12), 1),
    (Unlike, (2, 25, 31), 1),
    (torchvision.models.resnet18, (3, 64, 96), 5),
    (torchvision.models.mobilenet_v3_small, (3, 64, 64), 10),
]


@pytest.mark.parametrize(("build", "shape", "every"), CASES)
def test_the_gradient_reaches_these_pixels_and_no_others(
    build: Callable[[], nn.Module], shape: tuple[int, int, int], every: int
) -> None:
    torch.manual_seed(3)
    model = build().eval()
    images = torch.randn(1, *shape, requires_grad=True)
    with _Dense(), outputs_of(model) as outputs:
        model(images)
    rows = {row.name: row for row in trace(model.to("meta"), shape).layers}  # the last run of a reused layer
    chosen = [name for name in outputs if rows[name].fields is not None][::-1][::every]
    assert len(chosen) >= 3
    for name in chosen:
        out, fields = outputs[name], rows[name].fields
        assert fields is not None
        laid = all(axis.dim is not None and axis.outer == 1 for axis in fields)
        if not laid and not fields[0].whole:
            continue  # flattened: its units have lost their places
        assert all(axis.exact for axis in fields), name
        for place in ((0, 0), (0.5, 0.4), (1, 1)) if laid else ((0, 0),):
            where = [round(at * (axis.size - 1)) if laid else 0 for at, axis in zip(place, fields, strict=True)]
            index: list[Any] = [0, slice(None), slice(None), slice(None)] if laid else [0]
            for axis, at in zip(fields, where, strict=True):
                if axis.dim is not None and laid:
                    index[axis.dim] = at
            pixels = [axis.pixels(at) for axis, at in zip(fields, where, strict=True)]
            unit = out[tuple(index)].sum() if laid else out.flatten()[0]
            assert support(unit, images) == pixels, (name, place)


def test_an_operation_that_is_not_known_gives_a_bound() -> None:
    with torch.device("meta"):
        rows = trace(
            nn.Sequential(nn.Conv2d(1, 1, 3), nn.Upsample(scale_factor=2), nn.Conv2d(1, 1, 3)), (1, 9, 9)
        ).layers
    assert [row.fields[0].exact for row in rows if row.fields] == [True, False, False]
    assert all(row.fields and row.fields[0].whole for row in rows[1:])


class Applied(nn.Module):
    """Any function of images, as a module."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, images: Tensor) -> Tensor:
        return self.function(images)


def _part_of_itself(images: Tensor) -> Tensor:
    out = images * 1
    out[:, :1] += F.avg_pool2d(images, 7, 1, 3)[:, :1]
    return out


def _padded_by_hand(images: Tensor) -> Tensor:
    padded = images.new_zeros(images.shape[0], images.shape[1], 14, 14)
    padded[:, :, 1:-1, 1:-1] = images
    return F.avg_pool2d(padded, 3, 1)


# Each is (what is done, fields along height and width, whether they are exact); the gradient must stay within them.
ODD: dict[str, tuple[Callable[[Tensor], Tensor], tuple[int, int], bool]] = {
    "batch norm on the batch": (lambda x: F.batch_norm(x, None, None, training=True), (12, 12), True),
    "instance norm": (lambda x: F.instance_norm(F.avg_pool2d(x, 3, 1)), (12, 12), True),
    "rows mixed from the left": (lambda x: torch.ones(12, 12, device=x.device) @ x, (12, 1), True),
    "rows mixed in einsum": (
        lambda x: torch.einsum("oh,bchw->bcow", torch.ones(5, 12, device=x.device), x), (12, 1), True,
    ),
    "columns mixed": (lambda x: x @ torch.ones(12, 5, device=x.device), (1, 12), True),
    "channels pooled, channels last": (lambda x: F.max_pool2d(x.permute(0, 2, 3, 1), (1, 2)), (1, 1), True),
    "pixels in a row": (lambda x: F.avg_pool1d(x.flatten(2), 3, 1), (12, 12), False),
    "rows as channels": (lambda x: F.conv1d(x[:, 0], torch.ones(12, 1, 1, device=x.device), groups=12), (12, 1), False),
    "rows in the batch": (lambda x: F.avg_pool1d(x.permute(0, 2, 1, 3).flatten(0, 1), 3, 1), (1, 3), True),
    "a part written": (_part_of_itself, (12, 12), False),
    "padded by hand": (_padded_by_hand, (12, 12), False),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_odd_operations_are_exact_or_a_bound(name: str) -> None:
    function, expected, exact = ODD[name]
    fields = trace(Applied(function), (3, 12, 12)).fields
    assert fields is not None
    assert tuple(axis.field for axis in fields) == expected and all(axis.exact for axis in fields) == exact
    images = torch.rand(2, 3, 12, 12, requires_grad=True)
    out = function(images)
    (gradient,) = torch.autograd.grad(out.flatten(1)[0, out[0].numel() // 2], images)
    for side, seen in ((2, expected[0]), (3, expected[1])):
        support = gradient.abs().sum([axis for axis in range(4) if axis != side]).nonzero().flatten()
        assert int(support.max() - support.min()) + 1 <= seen
