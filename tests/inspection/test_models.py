"""Models by name: which are found, their options, and refusals in one line."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import get_model_weights

from inspection.layers.trace import trace
from inspection.models import find

MINE = """
from torch import nn
class Wide(nn.Module):
    def __init__(self, in_channels=3, image_size=9, width: int = 4):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, width, 3)
    def forward(self, images):
        return self.conv(images)
class Two(nn.Module):
    def forward(self, first, second):
        return first + second
class Failing(nn.Module):
    def __init__(self):
        raise KeyError("lost")
def made(width=2):
    return Wide(width=width)
def number():
    return 3
"""


@pytest.fixture(autouse=True)
def _mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models_of_mine.py").write_text(MINE)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.parametrize(
    ("name", "options", "shape"),
    [
        ("SmallCNN", {}, (1, 28, 28)),
        ("SmallCNN", {"in_channels": 3, "image_size": 12}, (3, 12, 12)),
        ("MLP", {"hidden_sizes": [5], "label_smoothing": 0.1}, (1, 28, 28)),
        ("VGG19", {"bias": False}, (3, 224, 224)),
        ("NaiveInception", {}, (256, 32, 32)),
        ("resnet18", {"num_classes": 7}, (3, 224, 224)),
        ("inception_v3", {}, (3, 299, 299)),
        ("regnet_y_400mf", {}, (3, 224, 224)),  # its constructor computes, which the meta device cannot
        ("models_of_mine.Wide", {"width": 5}, (3, 9, 9)),
    ],
)
def test_found_and_built_without_memory(name: str, options: dict[str, Any], shape: tuple[int, ...]) -> None:
    found = find(name)
    model = found.build(options)
    assert isinstance(model, nn.Module) and found.shape(options) == shape
    assert {parameter.device.type for parameter in model.parameters()} == {"meta"}
    out = model.eval()(torch.empty(2, *shape, device="meta"))
    assert isinstance(out, Tensor) and len(out) == 2


def test_a_shape_decides_channels_and_size() -> None:
    model = find("SmallCNN").build({}, (5, 8, 8))
    assert model.get_parameter("conv1.weight").shape[1] == 5 and model.get_parameter("fc1.weight").shape[1] == 16
    assert find("models_of_mine.made").build({"width": 6}).get_parameter("conv.weight").shape[0] == 6


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("SmalCNN", {}, "nearest: SmallCNN"),
        ("resnet81", {}, "resnet18"),
        ("zzzzzz", {}, "there are MLP, VGG19"),
        ("ImageClassifier", {}, "there is no model"),
        ("nowhere.Net", {}, "No module named 'nowhere'"),
        (".Net", {}, "cannot be imported"),
        ("models_of_mine.Wider", {}, "has no Wider"),
        ("models_of_mine.nn", {}, "is no class of torch.nn.Module"),
        ("torch.optim.SGD", {}, "is no class of torch.nn.Module"),
        ("torch.nn.Module", {}, "is no class of torch.nn.Module"),
        ("models_of_mine.number", {}, "makes no torch.nn.Module but a int"),
        ("models_of_mine.Two", {}, "takes 2 inputs (first, second)"),
        ("models_of_mine.Failing", {}, "cannot be built (KeyError: 'lost')"),
        ("models_of_mine.Wide", {"widht": 3}, "nearest: width"),
        ("models_of_mine.Wide", {"width": "ten"}, "takes a whole number"),
        ("models_of_mine.Wide", {"width": -1}, "cannot be built"),
        ("SmallCNN", {"num_classes": True}, "takes a whole number"),
        ("SmallCNN", {"num_classes": -1}, "num_classes must be at least 1, got -1"),
        ("SmallCNN", {"depth": 3}, "SmallCNN has no such option"),
        ("VGG19", {"bias": "maybe"}, "takes true or false"),
        ("resnet18", {"weights": "x", "layers": 3}, "resnet18"),
        ("torch.nn.Conv2d", {}, "cannot be built"),
    ],
)
def test_refusals(name: str, options: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValueError) as caught:
        find(name).build(options)
    assert expected in str(caught.value) and "\n" not in str(caught.value), caught.value


def test_a_model_of_unknown_images_needs_a_shape() -> None:
    with pytest.raises(ValueError, match="--input-shape 3,32,32"):
        find("torch.nn.ReLU").shape({})


@pytest.mark.parametrize(
    "name",
    ["resnet50", "densenet121", "efficientnet_b0", "mobilenet_v3_small", "regnet_y_400mf", "swin_t", "vit_b_16"],
)
def test_parameters_and_multiply_adds_are_those_that_torchvision_publishes(name: str) -> None:
    published = next(iter(get_model_weights(name))).meta
    found = find(name)
    table = trace(found.build({}), found.shape({}))
    assert table.total("weights") + table.total("biases") == published["num_params"]
    assert table.multiply_adds / 1e9 == pytest.approx(published["_ops"], abs=6e-4)  # printed to three decimals
