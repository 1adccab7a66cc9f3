"""What every architecture owes: its parameter count, its shapes, gradients, both memory formats, clear errors."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import lightning_modules
from lightning_modules import (
    MLP,
    VGG19,
    AlexNet,
    ImageClassifier,
    MiniGoogLeNet,
    ResNet,
    SmallCNN,
    StridedCNN,
    ThirteenLayerCNN,
    TorchvisionModel,
)

CIFAR = {"in_channels": 3, "image_size": 32}
IMAGENET = {"in_channels": 3, "image_size": 224, "num_classes": 1000}

COUNTS = [
    (SmallCNN, {}, 2_710),
    (ThirteenLayerCNN, {}, 3_430_922),
    (StridedCNN, {}, 763_094),
    (MiniGoogLeNet, {}, 1_649_386),
    (MiniGoogLeNet, {"in_channels": 3}, 1_651_114),
    (ResNet, {"depth": 20}, 269_722),
    (ResNet, {"depth": 32}, 464_154),
    (ResNet, {}, 658_586),
    (ResNet, {"depth": 56}, 853_018),
    (ResNet, {"depth": 44, "shortcut": "B"}, 661_338),
    (AlexNet, IMAGENET, 60_965_224),
    (AlexNet, IMAGENET | {"groups": 1}, 62_378_344),
    (VGG19, IMAGENET, 143_667_240),
    (VGG19, IMAGENET | {"bias": False}, 143_652_544),
    (TorchvisionModel, IMAGENET | {"name": "resnet18"}, 11_689_512),
    (TorchvisionModel, IMAGENET | {"name": "vit_b_16"}, 86_567_656),
    (TorchvisionModel, {"name": "shufflenet_v2_x0_5"}, 352_042),
]

# Small enough to run forward and backward in a moment; AlexNet and VGG19 have their own files.
SMALL = [
    (MLP, {"hidden_sizes": [20, 10]}),
    (MLP, {"hidden_sizes": [20], "activation": "sigmoid", "dropout_input": 0.2, "dropout_hidden": 0.5}),
    (MLP, {"hidden_sizes": [20], "activation": "tanh", "init": "glorot"} | CIFAR),
    (SmallCNN, {}),
    (SmallCNN, {"in_channels": 1, "image_size": 8}),
    (SmallCNN, CIFAR | {"num_classes": 7}),
    (ThirteenLayerCNN, {}),
    (ThirteenLayerCNN, {"in_channels": 1, "image_size": 8}),
    (StridedCNN, {}),
    (StridedCNN, CIFAR),
    (MiniGoogLeNet, {"in_channels": 3, "num_classes": 7}),
    (ResNet, {"depth": 8}),
    (ResNet, {"depth": 8, "shortcut": "B"}),
    (ResNet, {"depth": 14, "zero_init_last_gamma": True, "in_channels": 1, "image_size": 28}),
    (TorchvisionModel, {"name": "shufflenet_v2_x0_5", "in_channels": 1, "image_size": 40}),
    (TorchvisionModel, {"name": "squeezenet1_1", "image_size": 32, "num_classes": 7}),
]
IDS = [f"{model.__name__}-{'-'.join(map(str, options.values()))}" for model, options in SMALL]

BAD = [
    (MLP, {"hidden_sizes": [300, 0]}, "hidden_sizes"),
    (MLP, {"hidden_sizes": [-5]}, "hidden_sizes"),
    (MLP, {"activation": "gelu"}, "activation"),
    (MLP, {"init": "he"}, "init"),
    (MLP, {"dropout_input": 1.5}, "dropout_input"),
    (MLP, {"dropout_hidden": -0.1}, "dropout_hidden"),
    (MLP, {"image_size": -28}, "image_size"),
    (SmallCNN, {"in_channels": 0}, "in_channels"),
    (SmallCNN, {"image_size": 3}, "image_size"),
    (SmallCNN, {"num_classes": -1}, "num_classes"),
    (ThirteenLayerCNN, {"image_size": 7}, "image_size"),
    (ThirteenLayerCNN, {"num_classes": 0}, "num_classes"),
    (StridedCNN, {"image_size": 4}, "image_size"),
    (StridedCNN, {"in_channels": -1}, "in_channels"),
    (MiniGoogLeNet, {"image_size": 28}, "image_size"),
    (MiniGoogLeNet, {"dropout": 1.5}, "dropout"),
    (MiniGoogLeNet, {"in_channels": 0}, "in_channels"),
    (ResNet, {"depth": 45}, "depth"),
    (ResNet, {"depth": 2}, "depth"),
    (ResNet, {"depth": -4}, "depth"),
    (ResNet, {"shortcut": "C"}, "shortcut"),
    (ResNet, {"image_size": 0}, "image_size"),
    (AlexNet, {"groups": 3}, "groups"),
    (AlexNet, {"image_size": 28}, "image_size"),
    (AlexNet, {"dropout": 1.0}, "dropout"),
    (AlexNet, {"num_classes": 0}, "num_classes"),
    (VGG19, {"image_size": 32}, "image_size"),
    (VGG19, {"dropout": -1}, "dropout"),
    (VGG19, {"in_channels": -3}, "in_channels"),
    (TorchvisionModel, {"name": "resnt18"}, "nearest: resnet18"),
    (TorchvisionModel, {"image_size": 32, "name": "inception_v3"}, "set data.image_size to 75 or more"),
    (TorchvisionModel, {"image_size": 20, "name": "vit_b_16"}, "set data.image_size to 32"),
    (TorchvisionModel, {"num_classes": 0}, "num_classes"),
]

Build = Callable[..., ImageClassifier]


def batch_for(model: Build, options: dict[str, Any], size: int = 4) -> tuple[Tensor, Tensor]:
    defaults = {name: p.default for name, p in inspect.signature(model).parameters.items()} | options
    generator = torch.Generator().manual_seed(0)
    shape = (size, defaults["in_channels"], defaults["image_size"], defaults["image_size"])
    return torch.randn(shape, generator=generator), torch.arange(size) % defaults["num_classes"]


def step(model: ImageClassifier, images: Tensor, labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """Logits and gradients of one training step, from the same dropout draws at each call."""
    torch.manual_seed(7)
    model.zero_grad()
    logits = model(images)
    F.cross_entropy(logits, labels).backward()
    gradients = {}
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, f"no gradient reaches {name}"
        gradients[name] = parameter.grad.clone()
    return logits.detach(), gradients


@pytest.mark.parametrize(("model", "options", "count"), COUNTS)
def test_parameter_counts(model: Build, options: dict[str, Any], count: int) -> None:
    with torch.device("meta"):
        built = model(**options)
    assert sum(p.numel() for p in built.parameters()) == count


@pytest.mark.parametrize(("model", "options"), SMALL, ids=IDS)
def test_a_step_gives_finite_gradients_everywhere_and_repeats_bit_for_bit(
    model: Build, options: dict[str, Any]
) -> None:
    torch.manual_seed(1)
    first = model(**options)
    torch.manual_seed(1)
    second = model(**options)
    images, labels = batch_for(model, options)
    logits, gradients = step(first, images, labels)
    assert logits.shape == (4, options.get("num_classes", 10))
    for name, gradient in gradients.items():
        assert gradient.isfinite().all(), name
    again, same = step(second, images, labels)
    assert torch.equal(logits, again)
    assert all(torch.equal(gradient, same[name]) for name, gradient in gradients.items())


@pytest.mark.parametrize(("model", "options"), SMALL, ids=IDS)
def test_channels_last_equals_contiguous_to_rounding(model: Build, options: dict[str, Any]) -> None:
    # In double, so that rounding stays far below any mistake even where batch norm divides by a tiny variance.
    torch.manual_seed(1)
    built = model(**options).double()
    images, labels = batch_for(model, options)
    images = images.double()
    logits, gradients = step(built, images, labels)
    built.setup("fit")
    last_logits, last_gradients = step(built, images.to(memory_format=torch.channels_last), labels)
    torch.testing.assert_close(last_logits, logits, rtol=1e-9, atol=1e-9)
    for name, gradient in gradients.items():
        torch.testing.assert_close(last_gradients[name], gradient, rtol=1e-7, atol=1e-9, msg=name)


@pytest.mark.parametrize(("model", "options"), SMALL, ids=IDS)
def test_forward_leaves_the_batch_alone_and_evaluation_ignores_the_other_images(
    model: Build, options: dict[str, Any]
) -> None:
    built = model(**options).double().eval()
    images = batch_for(model, options)[0].double()
    before = images.clone()
    with torch.no_grad():
        logits = built(images)
        alone = built(images[:1])
    assert torch.equal(images, before)
    torch.testing.assert_close(alone, logits[:1], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("model", "options"), SMALL, ids=IDS)
def test_a_state_dict_loads_into_a_second_model(model: Build, options: dict[str, Any]) -> None:
    first, second = model(**options), model(**options)
    assert list(first.state_dict()) == list(second.state_dict())
    second.load_state_dict(first.state_dict())
    images, _ = batch_for(model, options)
    with torch.no_grad():
        assert torch.equal(first.eval()(images), second.eval()(images))


def test_state_dict_keys_stay_what_checkpoints_hold() -> None:
    assert list(SmallCNN().state_dict()) == [f"{n}.{p}" for n in ("conv1", "conv2", "fc1") for p in ("weight", "bias")]
    plain = MLP(hidden_sizes=[5, 4]).state_dict()
    dropped = MLP(hidden_sizes=[5, 4], dropout_input=0.2, dropout_hidden=0.5, activation="tanh").state_dict()
    assert list(plain) == list(dropped)
    roots = {name.split(".")[0] for name in ResNet(depth=8).state_dict()}
    assert roots == {"conv", "bn", "stage1", "stage2", "stage3", "fc"}


@pytest.mark.parametrize(("model", "options", "name"), BAD)
def test_bad_arguments_are_named_with_a_remedy(model: Build, options: dict[str, Any], name: str) -> None:
    with torch.device("meta"), pytest.raises(ValueError, match=name) as caught:
        model(**options)
    message = str(caught.value)
    assert "\n" not in message
    assert str(next(iter(options.values()))) in message
    assert ": " in message


def test_the_wording_of_the_image_size_errors() -> None:
    with pytest.raises(ValueError) as caught:
        AlexNet(image_size=28)
    wanted = "AlexNet takes images of 224 x 224, got 28 x 28: set data.image_size to 224"
    assert str(caught.value) == wanted


@pytest.mark.parametrize("model", dict.fromkeys(model for model, *_ in COUNTS + SMALL))
def test_arguments_of_the_base_class_pass_through(model: Build) -> None:
    names = list(inspect.signature(model).parameters)
    assert names[:3] == ["in_channels", "image_size", "num_classes"]
    assert inspect.signature(model).parameters["num_classes"].default == 10
    with torch.device("meta"):
        built = model(label_smoothing=0.1, lr_ratios={})
    assert built.label_smoothing == 0.1
    documented = model.__doc__ or ""
    assert all(f"        {name}: " in documented for name in names if name != "kwargs")


def test_the_table_of_contents_is_complete() -> None:
    listed = {name: getattr(lightning_modules, name) for name in lightning_modules.__all__}
    assert all(issubclass(value, nn.Module) for value in listed.values())
    architectures = {name for name, value in listed.items() if issubclass(value, ImageClassifier)}
    architectures -= {"ImageClassifier", "TimmModel"}  # the second has tests of its own: its library is an extra
    assert architectures == {model.__name__ for model, *_ in COUNTS + SMALL}
    assert architectures == {model.__name__ for model, *_ in BAD}, "each refuses something: add a row to BAD"
