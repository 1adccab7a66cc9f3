"""What is particular to one architecture: layer tables, initial values, orders of layers."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

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
from lightning_modules.alexnet import LocalResponseNorm

# Parameters by hidden sizes, MLP report, table 3: its 36 rows are these four, 3 activations and 3 learning rates.
SEARCH_COUNTS = {(784, 256): 818_970, (512, 384): 602_762, (666, 333): 748_261, (666, 666): 973_702}


def shapes(model: nn.Module, names: list[str], images: Tensor) -> list[tuple[int, ...]]:
    """Output shapes, without the batch, of the named submodules during one forward pass."""
    seen: dict[str, tuple[int, ...]] = {}

    def keep(name: str):  # type: ignore[no-untyped-def]
        return lambda module, inputs, output: seen.__setitem__(name, tuple(output.shape[1:]))

    handles = [model.get_submodule(name).register_forward_hook(keep(name)) for name in names]
    with torch.no_grad():
        model.eval()(images)
    for handle in handles:
        handle.remove()
    return [seen[name] for name in names]


def counts_by_layer(model: nn.Module) -> list[int]:
    own = (sum(p.numel() for p in module.parameters(recurse=False)) for module in model.modules())
    return [count for count in own if count]


# --- MLP


@pytest.mark.parametrize("activation", ["relu", "sigmoid", "tanh"])
@pytest.mark.parametrize(("hidden", "count"), SEARCH_COUNTS.items())
def test_mlp_search_counts(hidden: tuple[int, int], count: int, activation: str) -> None:
    with torch.device("meta"):
        model = MLP(hidden_sizes=list(hidden), activation=activation, init="glorot")
    assert sum(p.numel() for p in model.parameters()) == count


def test_mlp_baseline_and_homework_counts() -> None:
    assert counts_by_layer(MLP(hidden_sizes=[300], activation="sigmoid")) == [784 * 300 + 300, 3010]
    with torch.device("meta"):
        homework = MLP(in_channels=3, image_size=32, hidden_sizes=[1000, 1000], dropout_input=0.2, dropout_hidden=0.5)
    assert sum(counts_by_layer(homework)) == 4_084_010


def test_mlp_without_hidden_layers_is_softmax_regression() -> None:
    model = MLP(hidden_sizes=[])
    images = torch.randn(3, 1, 28, 28)
    layer = model.layers.output
    torch.testing.assert_close(model(images), F.linear(images.flatten(1), layer.weight, layer.bias))


def test_mlp_activations_and_dropout_stand_where_they_should() -> None:
    model = MLP(hidden_sizes=[6, 5], activation="tanh", dropout_input=0.2, dropout_hidden=0.5)
    kinds = [(type(layer).__name__, getattr(layer, "p", None)) for layer in model.layers]
    hidden = [("Linear", None), ("Tanh", None), ("Dropout", 0.5)]
    assert kinds == [("Dropout", 0.2), *hidden, *hidden, ("Linear", None)]


def linears(model: nn.Module) -> list[nn.Linear]:
    return [module for module in model.modules() if isinstance(module, nn.Linear)]


@pytest.mark.parametrize("init", ["zero", "normal", "glorot"])
def test_mlp_initial_values(init: str) -> None:
    torch.manual_seed(0)
    for layer in linears(MLP(hidden_sizes=[784, 256], init=init)):
        assert not layer.bias.any()
        bound = math.sqrt(6 / (layer.in_features + layer.out_features))
        # Four standard errors of a standard deviation from n draws of a normal; a uniform one scatters less.
        slack = 4 / math.sqrt(2 * layer.weight.numel())
        if init == "zero":
            assert not layer.weight.any()
        elif init == "normal":
            assert layer.weight.std().item() == pytest.approx(1, rel=slack)
        else:
            assert layer.weight.abs().max() <= bound
            assert layer.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=slack)


def test_mlp_torch_initialisation_is_torchs_own_and_follows_the_global_seed() -> None:
    torch.manual_seed(3)
    model = MLP(hidden_sizes=[20])
    torch.manual_seed(3)
    by_hand = [nn.Linear(784, 20), nn.Linear(20, 10)]
    assert all(torch.equal(a.weight, b.weight) for a, b in zip(linears(model), by_hand, strict=True))


# --- networks of the reports


def seed_forward(model: SmallCNN, images: Tensor) -> Tensor:
    """The report's own forward pass, up to log_softmax."""
    maps = F.max_pool2d(F.relu(F.conv2d(images, model.conv1.weight, model.conv1.bias, padding=1)), 2)
    maps = F.max_pool2d(F.relu(F.conv2d(maps, model.conv2.weight, model.conv2.bias, padding=1)), 2)
    return F.linear(maps.reshape(len(maps), -1), model.fc1.weight, model.fc1.bias)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_small_cnn_equals_the_reports_order_of_layers(ties: bool, memory_format: torch.memory_format) -> None:
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
    for forward in (model, lambda batch: seed_forward(model, batch)):
        model.zero_grad()
        outputs.append(forward(images))
        F.nll_loss(F.log_softmax(outputs[-1], dim=1), labels).backward()
        gradients.append([parameter.grad.clone() for parameter in model.parameters()])
    torch.testing.assert_close(*outputs, rtol=1e-12, atol=1e-12)
    for ours, reports in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, reports, rtol=1e-10, atol=1e-12)


def test_small_cnn_layer_table() -> None:
    model = SmallCNN()
    assert counts_by_layer(model) == [160, 580, 1970]
    assert shapes(model, ["conv1", "conv2", "fc1"], torch.zeros(2, 1, 28, 28)) == [(16, 28, 28), (4, 14, 14), (10,)]
    assert SmallCNN(image_size=8).fc1.in_features == 16


def test_thirteen_layer_cnn_table() -> None:
    model = ThirteenLayerCNN()
    # 90 for the third convolution: the report's second table misprints 96.
    table = [168, 440, 90, 132, 182, 28, 240, 2_769_920, 524_800, 1_024, 131_328, 2_570]
    assert counts_by_layer(model) == table
    layers = [f"features.{i}" for i in (0, 1, 3, 5, 7, 9, 10, 12)]
    maps = [(6, 30, 30), (6, 15, 15), (8, 13, 13), (10, 13, 13), (12, 13, 13), (14, 13, 13), (14, 13, 13), (16, 13, 13)]
    assert shapes(model, layers, torch.zeros(2, 3, 32, 32)) == maps


def test_strided_cnn_table() -> None:
    model = StridedCNN()
    assert counts_by_layer(model) == [160, 12_832, 18_496, 204_928, 295_168, 230_500, 1_010]
    layers = [f"features.{i}" for i in (0, 2, 4, 6, 8, 9)]
    maps = [(16, 28, 28), (32, 14, 14), (64, 14, 14), (128, 7, 7), (256, 7, 7), (256, 3, 3)]
    assert shapes(model, layers, torch.zeros(2, 1, 28, 28)) == maps


@pytest.mark.parametrize("image_size", range(5, 12))
def test_strided_cnn_knows_its_last_map(image_size: int) -> None:
    images = torch.zeros(1, 1, image_size, image_size)
    assert StridedCNN(image_size=image_size)(images).shape == (1, 10)


@pytest.mark.parametrize("image_size", range(8, 12))
def test_thirteen_layer_cnn_knows_its_last_map(image_size: int) -> None:
    images = torch.zeros(2, 3, image_size, image_size)
    assert ThirteenLayerCNN(image_size=image_size)(images).shape == (2, 10)


# --- MiniGoogLeNet


def test_minigooglenet_stages() -> None:
    model = MiniGoogLeNet(in_channels=3)
    names = [f"features.{name}" for name, _ in model.features.named_children()]
    channels = [96, 64, 80, 160, 160, 160, 160, 144, 240, 336, 336, 336]
    sides = [32, 32, 32, 15, 15, 15, 15, 15, 7, 7, 7, 1]
    assert shapes(model, names, torch.zeros(2, 3, 32, 32)) == [(c, s, s) for c, s in zip(channels, sides, strict=True)]


def test_minigooglenet_units_are_convolution_norm_relu_without_bias() -> None:
    model = MiniGoogLeNet(dropout=0.5)
    kinds = [type(module) for module in model.modules()]
    assert kinds.count(nn.Conv2d) == kinds.count(nn.BatchNorm2d) == kinds.count(nn.ReLU) == 1 + 8 * 2 + 2
    assert all(module.bias is None for module in model.modules() if isinstance(module, nn.Conv2d))
    assert [module.p for module in model.modules() if isinstance(module, nn.Dropout)] == [0.5]


def test_minigooglenet_branches_join_in_the_tables_order() -> None:
    model = MiniGoogLeNet().eval()
    block, downsample = model.features.inception_1, model.features.downsample_1
    with torch.no_grad():
        maps = torch.rand(1, 96, 9, 9)
        assert torch.equal(block(maps)[:, :32], block.ones(maps))
        maps = torch.rand(1, 80, 9, 9)
        assert torch.equal(downsample(maps)[:, 80:], F.max_pool2d(maps, 3, stride=2))


# --- ResNet


@pytest.mark.parametrize("shortcut", ["A", "B"])
def test_resnet_stages(shortcut: str) -> None:
    model = ResNet(depth=20, shortcut=shortcut)
    maps = shapes(model, ["conv", "stage1", "stage2", "stage3"], torch.zeros(2, 3, 32, 32))
    assert maps == [(16, 32, 32), (16, 32, 32), (32, 16, 16), (64, 8, 8)]
    weighted = [m for name, m in model.named_modules() if isinstance(m, nn.Conv2d | nn.Linear) and "short" not in name]
    assert len(weighted) == 20


@pytest.mark.parametrize("shortcut", ["A", "B"])
@pytest.mark.parametrize("image_size", [1, 7, 28])
def test_resnet_takes_any_image_size(shortcut: str, image_size: int) -> None:
    model = ResNet(depth=8, shortcut=shortcut, image_size=image_size).eval()
    assert model(torch.randn(2, 3, image_size, image_size)).shape == (2, 10)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_shortcut_a_is_the_identity_on_every_second_pixel_with_zeros_behind(memory_format: torch.memory_format) -> None:
    shortcut = ResNet(depth=8).stage2[0].shortcut
    maps = torch.randn(2, 16, 8, 8).to(memory_format=memory_format)
    joined = shortcut(maps)
    assert torch.equal(joined[:, :16], maps[:, :, ::2, ::2])
    assert joined.shape == (2, 32, 4, 4)
    assert not joined[:, 16:].any()
    assert joined.is_contiguous(memory_format=memory_format)
    assert not list(shortcut.parameters())


def test_resnet_starts_from_hes_draw() -> None:
    torch.manual_seed(0)
    for module in ResNet(shortcut="B").modules():
        if isinstance(module, nn.Conv2d):
            fan_out = module.out_channels * module.kernel_size[0] ** 2
            slack = 4 / math.sqrt(2 * module.weight.numel())
            assert module.weight.std().item() == pytest.approx(math.sqrt(2 / fan_out), rel=slack)


def test_zero_init_last_gamma_makes_every_block_its_shortcut() -> None:
    torch.manual_seed(0)
    images = torch.rand(2, 16, 8, 8)
    usual, zero = ResNet(depth=14), ResNet(depth=14, zero_init_last_gamma=True)
    assert torch.equal(zero.stage1(images), images)
    assert not torch.equal(usual.stage1(images), images)
    gammas = {name: p for name, p in zero.named_parameters() if "bn" in name and name.endswith("weight")}
    assert all(bool(gamma.eq(0).all()) == name.endswith("bn2.weight") for name, gamma in gammas.items())


# --- AlexNet and VGG19, on the meta device: shapes and counts without memory


def test_alexnet_layer_table() -> None:
    with torch.device("meta"):
        model = AlexNet(num_classes=1000)
        images = torch.empty(2, 3, 224, 224)
    table = [34_944, 307_456, 885_120, 663_936, 442_624, 37_752_832, 16_781_312, 4_097_000]
    assert counts_by_layer(model) == table
    convolutions = [f"features.{i}" for i in (0, 4, 8, 10, 12)]
    maps = [(96, 55, 55), (256, 27, 27), (384, 13, 13), (384, 13, 13), (256, 13, 13)]
    assert shapes(model, [*convolutions, "features.14"], images) == [*maps, (256, 6, 6)]
    weights = sum(p.numel() for name, p in model.named_parameters() if name.endswith("weight"))
    assert weights == 60_954_656


def test_local_response_norm_is_the_papers() -> None:
    maps = torch.randn(2, 9, 3, 4, dtype=torch.float64) * 30
    expected = torch.empty_like(maps)
    for channel in range(9):
        window = maps[:, max(0, channel - 2) : channel + 3]
        expected[:, channel] = maps[:, channel] / (2 + 1e-4 * window.square().sum(1)) ** 0.75
    torch.testing.assert_close(LocalResponseNorm()(maps), expected)
    torch.testing.assert_close(nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2)(maps), expected)
    last = LocalResponseNorm()(maps.to(memory_format=torch.channels_last))
    torch.testing.assert_close(last, expected)


def test_alexnet_initial_values_and_a_step() -> None:
    torch.manual_seed(0)
    model = AlexNet()
    layers = [module for module in model.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    assert [layer.bias.unique().tolist() for layer in layers] == [[0], [1], [0], [1], [1], [1], [1], [0]]
    assert all(layer.weight.std().item() == pytest.approx(0.01, rel=0.03) for layer in layers)
    model.setup("fit")
    images = torch.randn(2, 3, 224, 224).to(memory_format=torch.channels_last)
    F.cross_entropy(model(images), torch.tensor([1, 2])).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_vgg19_layer_table() -> None:
    with torch.device("meta"):
        model = VGG19(num_classes=1000, bias=False)
        images = torch.empty(2, 3, 224, 224)
    first_two, fc = [1_728, 36_864], [102_760_448, 16_777_216, 4_096_000]
    table = [*first_two, 73_728, 147_456, 294_912, *[589_824] * 3, 1_179_648, *[2_359_296] * 7, *fc]
    assert counts_by_layer(model) == table
    names = [f"features.{i}" for i, layer in enumerate(model.features) if not isinstance(layer, nn.ReLU)]
    linear = [f"classifier.{i}" for i, layer in enumerate(model.classifier) if isinstance(layer, nn.Linear)]
    outputs = shapes(model, names + linear, images)
    pooled = [shape for name, shape in zip(names, outputs, strict=False) if "MaxPool" in str(model.get_submodule(name))]
    assert pooled == [(64, 112, 112), (128, 56, 56), (256, 28, 28), (512, 14, 14), (512, 7, 7)]
    # The homework's memory column: input, convolutions, pools and linear layers of one image.
    assert 3 * 224**2 + sum(map(math.prod, outputs)) == 16_542_184


def test_vgg19_starts_from_glorots_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    # On the meta device there are no values to look at, so the calls are: filling 143 million parameters takes seconds.
    drawn: list[Tensor] = []
    zeroed: list[Tensor] = []
    monkeypatch.setattr(nn.init, "xavier_uniform_", drawn.append)
    monkeypatch.setattr(nn.init, "zeros_", zeroed.append)
    with torch.device("meta"):
        model = VGG19()
    assert [id(tensor) for tensor in drawn] == [id(p) for p in model.parameters() if p.dim() > 1]
    assert [id(tensor) for tensor in zeroed] == [id(p) for p in model.parameters() if p.dim() == 1]
    assert len(drawn) == len(zeroed) == 19


# --- inception blocks


def multiplications(block: nn.Module, side: int) -> int:
    total = 0

    def add(module: nn.Conv2d, inputs: tuple[Tensor], output: Tensor) -> None:
        nonlocal total
        total += math.prod(output.shape[2:]) * module.weight.numel()

    convolutions = [module for module in block.modules() if isinstance(module, nn.Conv2d)]
    handles = [convolution.register_forward_hook(add) for convolution in convolutions]
    block(torch.empty(1, 256, side, side, device="meta"))
    for handle in handles:
        handle.remove()
    return total


@pytest.mark.parametrize(
    ("block", "channels", "on_32", "on_28"),
    [
        (NaiveInception, 672, 1_115_684_864, 854_196_224),
        (ReducedInception, 480, 354_418_688, 271_351_808),
    ],
)
def test_inception_blocks(block: type[nn.Module], channels: int, on_32: int, on_28: int) -> None:
    with torch.device("meta"):
        built = block()
    assert built(torch.empty(2, 256, 32, 32, device="meta")).shape == (2, channels, 32, 32)
    assert multiplications(built, 32) == on_32
    assert multiplications(built, 28) == on_28
    assert sum(p.numel() for p in built.parameters()) * 32**2 == on_32


@pytest.mark.parametrize("block", [NaiveInception, ReducedInception])
def test_inception_blocks_run_and_reach_every_parameter(block: type[nn.Module]) -> None:
    torch.manual_seed(0)
    built = block(in_channels=8).double()
    maps = torch.randn(2, 8, 6, 6, dtype=torch.float64)
    before = maps.clone()
    joined = built(maps)
    joined.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() and p.grad.any() for p in built.parameters())
    assert torch.equal(maps, before)
    torch.testing.assert_close(built(maps.to(memory_format=torch.channels_last)), joined)
    with pytest.raises(ValueError, match="in_channels"):
        block(in_channels=0)


def test_the_naive_block_passes_its_pooled_input_on_unchanged() -> None:
    maps = -torch.rand(1, 8, 5, 5)
    assert torch.equal(NaiveInception(8)(maps)[:, -8:], F.max_pool2d(maps, 3, stride=1, padding=1))
