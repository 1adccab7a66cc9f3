"""Layer tables as published, and the counts by two ways."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.nn.utils.parametrizations import orthogonal, spectral_norm, weight_norm

from inspection.description import without_biases
from inspection.layers.arithmetic import parameter_count
from inspection.layers.trace import Layer, Trace, trace
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

IMAGENET = (3, 224, 224)
INCEPTION = (256, 32, 32)
EVERY: list[tuple[Callable[..., nn.Module], dict[str, Any], tuple[int, ...]]] = [
    (AlexNet, {"num_classes": 1000}, IMAGENET),
    (AlexNet, {"groups": 1}, IMAGENET),
    (VGG19, {"num_classes": 1000}, IMAGENET),
    (MiniGoogLeNet, {"in_channels": 3}, (3, 32, 32)),
    (ResNet, {}, (3, 32, 32)),
    (ResNet, {"shortcut": "B"}, (3, 32, 32)),
    (SmallCNN, {}, (1, 28, 28)),
    (StridedCNN, {}, (1, 28, 28)),
    (ThirteenLayerCNN, {}, (3, 32, 32)),
    (MLP, {"hidden_sizes": [784, 256]}, (1, 28, 28)),
    (NaiveInception, {}, INCEPTION),
    (ReducedInception, {}, INCEPTION),
    (torchvision.models.resnet18, {}, IMAGENET),
    (torchvision.models.vit_b_16, {}, IMAGENET),
    (torchvision.models.convnext_tiny, {}, IMAGENET),
]


def traced(model: Callable[..., nn.Module], shape: tuple[int, ...], **options: Any) -> Trace:
    with torch.device("meta"):
        return trace(model(**options), shape)


def with_parameters(table: Trace) -> list[Layer]:
    return [layer for layer in table.layers if layer.weights + layer.biases]


ALEXNET = [
    "(11*11*3)*96 + 96 = 34,944",
    "(5*5*96/2)*256 + 256 = 307,456",
    "(3*3*256)*384 + 384 = 885,120",
    "(3*3*384/2)*384 + 384 = 663,936",
    "(3*3*384/2)*256 + 256 = 442,624",
    "9216*4096 + 4096 = 37,752,832",
    "4096*4096 + 4096 = 16,781,312",
    "4096*1000 + 1000 = 4,097,000",
]


def test_alexnet_layer_by_layer() -> None:
    table = traced(AlexNet, IMAGENET, num_classes=1000)
    assert [layer.written for layer in with_parameters(table)] == ALEXNET
    assert (table.total("weights"), table.total("biases")) == (60_954_656, 60_965_224 - 60_954_656)
    maps = [layer.output_shape for layer in table.layers if layer.kind in ("Conv2d", "MaxPool2d")]
    assert [shape[1] for shape in maps] == [55, 27, 27, 13, 13, 13, 13, 6]


def test_alexnet_without_groups() -> None:
    table = traced(AlexNet, IMAGENET, num_classes=1000, groups=1)
    assert [layer.written for layer in with_parameters(table)] == [line.replace("/2", "") if "/2" not in line else
        {"307,456": "(5*5*96)*256 + 256 = 614,656", "663,936": "(3*3*384)*384 + 384 = 1,327,488",
         "442,624": "(3*3*384)*256 + 256 = 884,992"}[line.rpartition(" ")[2]] for line in ALEXNET]  # fmt: skip
    assert table.total("weights") + table.total("biases") == 62_378_344


# VGG19's layer table, every cell: layer, activations, parameters as they are written.
CONV, POOL = "Conv2d", "MaxPool2d"
VGG_TABLE = [
    (CONV, 224 * 224 * 64, "(3*3*3)*64 = 1,728"),
    (CONV, 224 * 224 * 64, "(3*3*64)*64 = 36,864"),
    (POOL, 112 * 112 * 64, ""),
    (CONV, 112 * 112 * 128, "(3*3*64)*128 = 73,728"),
    (CONV, 112 * 112 * 128, "(3*3*128)*128 = 147,456"),
    (POOL, 56 * 56 * 128, ""),
    (CONV, 56 * 56 * 256, "(3*3*128)*256 = 294,912"),
    *[(CONV, 56 * 56 * 256, "(3*3*256)*256 = 589,824")] * 3,
    (POOL, 28 * 28 * 256, ""),
    (CONV, 28 * 28 * 512, "(3*3*256)*512 = 1,179,648"),
    *[(CONV, 28 * 28 * 512, "(3*3*512)*512 = 2,359,296")] * 3,
    (POOL, 14 * 14 * 512, ""),
    *[(CONV, 14 * 14 * 512, "(3*3*512)*512 = 2,359,296")] * 4,
    (POOL, 7 * 7 * 512, ""),
    ("Linear", 4096, "25088*4096 = 102,760,448"),
    ("Linear", 4096, "4096*4096 = 16,777,216"),
    ("Linear", 1000, "4096*1000 = 4,096,000"),
]


@pytest.mark.parametrize("by_option", [True, False])
def test_vgg19_fills_its_table(by_option: bool) -> None:
    with torch.device("meta"):
        model = VGG19(num_classes=1000, bias=False) if by_option else without_biases(VGG19(num_classes=1000))
    table = trace(model, IMAGENET)
    rows = [(layer.kind, layer.activations, layer.written) for layer in table.layers if layer.activations]
    assert rows == VGG_TABLE
    assert table.total("weights") == 143_652_544 and table.total("biases") == 0
    assert table.total("activations") + 224 * 224 * 3 == 16_542_184
    assert traced(VGG19, IMAGENET, num_classes=1000).total("biases") == 143_667_240 - 143_652_544


@pytest.mark.parametrize(
    ("model", "shape", "rows"),
    [
        (SmallCNN, (1, 28, 28), [((16, 28, 28), 160), ((4, 14, 14), 580), ((10,), 1970)]),
        (
            StridedCNN,
            (1, 28, 28),
            [((16, 28, 28), 160), ((32, 14, 14), 12_832), ((64, 14, 14), 18_496), ((128, 7, 7), 204_928),
             ((256, 7, 7), 295_168), ((100,), 230_500), ((10,), 1010)],
        ),
        (
            ThirteenLayerCNN,
            (3, 32, 32),
            [((6, 30, 30), 168), ((8, 13, 13), 440), ((10, 13, 13), 90), ((12, 13, 13), 132), ((14, 13, 13), 182),
             ((14, 13, 13), 28), ((16, 13, 13), 240), ((1024,), 2_769_920), ((512,), 524_800), ((512,), 1024),
             ((256,), 131_328), ((10,), 2570)],
        ),
    ],
)  # fmt: skip
def test_the_seeds_tables(model: Callable[..., nn.Module], shape: tuple[int, ...], rows: list[Any]) -> None:
    found = [(layer.output_shape, layer.weights + layer.biases) for layer in with_parameters(traced(model, shape))]
    assert found == rows


def test_counts_of_the_deep_ones() -> None:
    residual = traced(ResNet, (3, 32, 32))
    assert residual.total("weights") + residual.total("biases") == 658_586
    assert sum(layer.kind in ("Conv2d", "Linear") for layer in residual.layers) == 44
    googlenet = traced(MiniGoogLeNet, (3, 32, 32), in_channels=3)
    assert googlenet.total("weights") + googlenet.total("biases") == 1_651_114
    assert [layer.output_shape[1] for layer in googlenet.layers if layer.kind == "MaxPool2d"] == [15, 7]


def test_inception_blocks() -> None:
    naive, reduced = traced(NaiveInception, INCEPTION), traced(ReducedInception, INCEPTION)
    assert (naive.output_shape, reduced.output_shape) == ((672, 32, 32), (480, 32, 32))
    assert (naive.multiply_adds, reduced.multiply_adds) == (1_115_684_864, 354_418_688)
    assert round(naive.multiply_adds / reduced.multiply_adds, 3) == 3.148
    assert round(100 * (1 - reduced.multiply_adds / naive.multiply_adds), 2) == 68.23
    smaller = [traced(model, (256, 28, 28)).multiply_adds for model in (NaiveInception, ReducedInception)]
    assert smaller == [854_196_224, 271_351_808]


@pytest.mark.parametrize(("model", "options", "shape"), EVERY)
def test_counts_by_two_ways(model: Callable[..., nn.Module], options: dict[str, Any], shape: tuple[int, ...]) -> None:
    with torch.device("meta"):
        built = model(**options)
    table = trace(built, shape)
    assert table.total("weights") + table.total("biases") == sum(p.numel() for p in built.parameters())
    assert table.multiply_adds == table.total("multiply_adds")
    layers = dict(built.named_modules())
    for row in table.layers:
        layer = layers.get(row.name)
        if isinstance(layer, nn.Conv2d):
            each = layer.in_channels // layer.groups * layer.kernel_size[0] * layer.kernel_size[1]
            assert row.multiply_adds == each * torch.Size(row.output_shape).numel(), row
        elif isinstance(layer, nn.Linear):
            assert row.multiply_adds == layer.in_features * torch.Size(row.output_shape).numel(), row
        if row.written and row.kind != "in no layer":
            left, _, right = row.written.partition(" = ")
            assert re.fullmatch(r"[\d()*/+ ]+", left)
            assert eval(left) == int(right.replace(",", "")) == row.weights + row.biases, row


class Reused(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 3, padding="same", groups=2)
        self.unused = nn.Linear(3, 4)
        self.scale = nn.Parameter(torch.ones(5))

    def forward(self, images: Tensor) -> Tensor:
        twice = self.conv(torch.relu(self.conv(images)))
        return twice @ images.transpose(2, 3)


def test_what_is_reused_unused_and_outside_of_layers() -> None:
    table = traced(Reused, (2, 6, 4))
    first, second, *rest = table.layers
    assert (first.weights, first.biases, first.written) == (18, 2, "(3*3*2/2)*2 + 2 = 20")
    assert (second.weights, second.biases, second.written) == (0, 0, "shared, counted above")
    assert first.activations == second.activations == 2 * 6 * 4 and second.padding == (1, 1)
    assert {row.name: row.weights + row.biases for row in rest} == {"scale": 5, "unused.weight": 12, "unused.bias": 4}
    assert table.multiply_adds - table.total("multiply_adds") == 2 * 6 * 4 * 6


def test_a_layer_adds_no_activations_where_it_works_in_place() -> None:
    for inplace, values in ((True, 0), (False, 48)):
        with torch.device("meta"):
            table = trace(nn.Sequential(nn.Conv2d(1, 3, 1), nn.ReLU(inplace), nn.Flatten()), (1, 4, 4))
        assert [layer.activations for layer in table.layers] == [48, values, 0]


class Several(nn.Module):
    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return images * 2, images, images[:, :1] * 3


def test_every_new_tensor_of_several_counts() -> None:
    table = traced(lambda: nn.Sequential(Several()), (3, 8, 8))
    assert [layer.activations for layer in table.layers] == [192 + 64]


def test_windows_tell_their_dilation_and_a_pooling_s_own_stride() -> None:
    same, pool = traced(
        lambda: nn.Sequential(nn.Conv2d(3, 4, 3, padding="same", dilation=2), nn.LPPool2d(2, 2)), (3, 8, 8)
    ).layers
    assert (same.padding, same.dilation) == ((2, 2), (2, 2)) and same.fields is not None and same.fields[0].field == 5
    assert (pool.kernel, pool.stride, pool.output_shape) == ((2, 2), (2, 2), (4, 4, 4))


def test_biases_by_their_names() -> None:
    count = parameter_count(nn.LSTM(8, 5))
    assert (count.weights, count.biases) == (4 * 5 * (8 + 5), 2 * 4 * 5)
    assert parameter_count(nn.MultiheadAttention(8, 2, add_bias_kv=True)).biases == 24 + 8 + 16


def test_parameters_of_other_layers() -> None:
    assert parameter_count(nn.BatchNorm2d(7)).written == "7 + 7 = 14"
    assert parameter_count(nn.ReLU()).written == ""
    assert parameter_count(nn.ConvTranspose2d(4, 6, 3, groups=2, bias=False)).weights == 4 * 3 * 9
    shared = nn.Linear(2, 3)
    counted: set[int] = set()
    assert parameter_count(shared, counted).biases == 3 and parameter_count(shared, counted).weights == 0


def test_the_model_is_left_without_hooks() -> None:
    with torch.device("meta"):
        model = SmallCNN()
    trace(model, (1, 28, 28))
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


class Normed(nn.Module):
    """Layers whose weights are computed, each by another parametrisation."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = weight_norm(nn.Conv2d(3, 4, 3))
        self.fc = spectral_norm(nn.Linear(4 * 6 * 6, 2))
        self.turn = orthogonal(nn.Linear(2, 2, bias=False))
        self.twice = weight_norm(weight_norm(nn.Linear(2, 5)), "bias", dim=None)

    def forward(self, images: Tensor) -> Tensor:
        return self.twice(self.turn(self.fc(self.conv(images).flatten(1))))


def test_a_layer_with_a_computed_weight_is_a_layer() -> None:
    table = trace(Normed().to("meta"), (3, 8, 8))
    rows = [(row.name, row.kind, row.activations, row.multiply_adds, row.written) for row in table.layers]
    assert rows == [
        ("conv", "Conv2d", 144, 144 * 27, "(3*3*3)*4 + 4 + 4 = 116"),
        ("fc", "Linear", 2, 288, "144*2 + 2 = 290"),
        ("turn", "Linear", 2, 4, "2*2 = 4"),
        ("twice", "Linear", 5, 10, "2*5 + 5 + 6 = 21"),
    ]
    assert (table.total("weights"), table.total("biases")) == (112 + 288 + 4 + 15, 4 + 2 + 6)
    assert table.multiply_adds == table.total("multiply_adds") and table.unknown == ()
    assert trace(without_biases(Normed().to("meta")), (3, 8, 8)).total("biases") == 0
