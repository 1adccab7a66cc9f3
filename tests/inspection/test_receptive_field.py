"""Receptive fields: the recurrence against arithmetic, and against the support of a gradient."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from inspection.layers import is_layer, trace
from inspection.receptive_field import stacked
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


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 11])
@pytest.mark.parametrize("number", [0, 1, 2, 3, 10])
def test_n_stacked_convolutions_see_nf_minus_n_plus_1(size: int, number: int) -> None:
    assert stacked([size] * number) == number * size - number + 1


def test_three_of_five_see_thirteen() -> None:
    assert stacked([5, 5, 5]) == 13
    assert stacked([3, 3]) == 5 and stacked([3, 3, 3]) == 7  # VGG, section 2.3
    assert stacked([11, 3, 5], [4, 2, 1]) == 51


@pytest.mark.parametrize(("sizes", "strides"), [([3, 0], None), ([3], [0]), ([3, 3], [1]), ([-3], None)])
def test_impossible_stacks_are_refused(sizes: list[int], strides: list[int] | None) -> None:
    with pytest.raises(ValueError, match="give"):
        stacked(sizes, strides)


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
    """What each layer gave, as it was then; the last where it ran more than once."""
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
    """First and last row, first and last column whose pixels move a unit."""
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
