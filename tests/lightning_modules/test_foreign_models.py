"""torchvision's and timm's networks: any channels, size and classes, and what is told before training."""

import json
import sys
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision import models
from torchvision.ops import StochasticDepth

from lightning_modules import TimmModel, TorchvisionModel
from lightning_modules._checks import check_chunks, normalises_single_values
from lightning_modules._foreign import tried
from lightning_modules.shared_dropout import RowDepth
from tests.commands.test_resume import rows, weights
from timeline.stream import Stream

OTHER_COUNTS = {"inception_v3": 27_161_264 - 3_326_696}  # torchvision counts its auxiliary head
RUN = (
    "--model", "TorchvisionModel", "--model.name", "shufflenet_v2_x0_5", "--data", "Digits",
    "--optimizer", "SGD", "--optimizer.lr", "0.01", "--trainer.max_steps", "6", "--test_after_fit", "false",
    "--trainer.log_every_n_steps", "1", "--trainer.limit_val_batches", "0", "--trainer.enable_progress_bar", "false",
)  # fmt: skip
HEAVY = ("128gf", "32gf", "16gf")


@pytest.mark.slow
@pytest.mark.parametrize("name", [one for one in models.list_models(module=models) if not one.endswith(HEAVY)])
def test_every_network_has_the_parameters_that_torchvision_documents(name: str) -> None:
    published = next(iter(models.get_model_weights(name)))
    options = {"name": name, "num_classes": 1000, "image_size": max(224, *published.meta["min_size"])}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            with torch.device("meta"):
                built = TorchvisionModel(**options)
        except NotImplementedError:  # regnets read values
            built = TorchvisionModel(**options)
    count = sum(parameter.numel() for parameter in built.parameters())
    assert count == OTHER_COUNTS.get(name, published.meta["num_params"])


@pytest.mark.parametrize(("name", "channels"), [("resnet18", 1), ("vgg11_bn", 5), ("vit_b_32", 2)])
def test_the_first_convolution_takes_other_channels_and_stays_the_same_else(name: str, channels: int) -> None:
    with torch.device("meta"):
        theirs = next(m for m in models.get_model(name, weights=None).modules() if isinstance(m, nn.Conv2d))
        ours = next(m for m in TorchvisionModel(channels, 64, name=name).modules() if isinstance(m, nn.Conv2d))
    assert (theirs.in_channels, ours.in_channels) == (3, channels)
    for part in ("out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "padding_mode"):
        assert getattr(ours, part) == getattr(theirs, part)
    assert (ours.bias is None) == (theirs.bias is None)


@pytest.mark.parametrize("name", ["efficientnet_b0", "convnext_tiny", "swin_t"])
def test_stochastic_depth_is_one_that_processes_share_with_the_same_draws(name: str) -> None:
    torch.manual_seed(3)
    ours = TorchvisionModel(3, 64, 7, name=name)
    torch.manual_seed(3)
    theirs = models.get_model(name, weights=None, num_classes=7)
    kept = [module.p for module in theirs.modules() if isinstance(module, StochasticDepth)]
    assert [module.p for module in ours.modules() if isinstance(module, RowDepth)] == kept and any(kept)
    assert not any(isinstance(module, StochasticDepth) for module in ours.modules())
    images, logits = torch.randn(4, 3, 64, 64), []
    for network in (ours, theirs):
        torch.manual_seed(5)
        logits.append(network.train()(images))
    assert torch.equal(*logits)


def test_with_three_channels_it_is_torchvisions_own_network_to_the_bit() -> None:
    torch.manual_seed(3)
    ours = TorchvisionModel(3, 32, 7, name="squeezenet1_1")
    torch.manual_seed(3)
    theirs = models.squeezenet1_1(weights=None, num_classes=7)
    images = torch.randn(2, 3, 32, 32)
    assert torch.equal(ours.eval()(images), theirs.eval()(images))


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_auxiliary_heads_are_left_out(name: str) -> None:
    with torch.device("meta"):
        built = TorchvisionModel(3, 80, 4, name=name)
        assert built.train()(torch.empty(2, 3, 80, 80)).shape == (2, 4)
    assert not any("aux" in key.lower() for key in built.state_dict())


@pytest.mark.parametrize("name", ["alexnet", "vgg11", "squeezenet1_1", "googlenet", "densenet121"])
def test_the_smallest_size_that_is_told_is_the_smallest(name: str) -> None:
    with torch.device("meta"):
        with pytest.raises(ValueError, match=rf"{name} takes images of (\d+) x \1 or larger, got 3 x 3") as caught:
            TorchvisionModel(image_size=3, name=name)
        smallest = int(str(caught.value).split()[4])
        options = {"aux_logits": False, "init_weights": True} if name == "googlenet" else {}
        network = models.get_model(name, weights=None, **options)
        network.eval()(torch.empty(1, 3, smallest, smallest))
        with pytest.raises(RuntimeError):
            network.eval()(torch.empty(1, 3, smallest - 1, smallest - 1))


def test_a_trial_leaves_the_network_as_it_was() -> None:
    torch.manual_seed(0)
    network = models.shufflenet_v2_x0_5(weights=None)
    before = {name: one.clone() for name, one in network.state_dict().items()}
    state = torch.get_rng_state()
    assert tried(network, 3, 32).refusal == "" and network.training
    assert torch.equal(torch.get_rng_state(), state)
    assert all(
        torch.equal(one, before[name]) and one.device.type == "cpu" for name, one in network.state_dict().items()
    )
    assert not any(module._forward_pre_hooks for module in network.modules())


def test_one_image_is_too_few_where_maps_end_in_a_single_pixel() -> None:
    small, large = (TorchvisionModel(3, side, 4, name="shufflenet_v2_x0_5") for side in (32, 64))
    images = torch.randn(1, 3, 32, 32)
    with pytest.raises(ValueError, match="Expected more than 1 value per channel"):
        small.train()(images)
    assert normalises_single_values(small, small.single_values)
    large.train()(torch.randn(1, 3, 64, 64))
    assert not normalises_single_values(large, large.single_values)
    with pytest.raises(ValueError, match="too few for batch normalisation"):
        check_chunks(Stream(33, 16, 0, False), 1, 1, None, 1)


def test_a_run_that_would_leave_one_image_is_refused_before_it(cadence, capsys) -> None:
    assert cadence("fit", *RUN, "--data.image_size", "32", "--data.batch_size", "1") == 2
    told = capsys.readouterr().err
    assert "data.batch_size leaves a chunk of one image" in told and len(told.splitlines()) <= 3


def test_a_run_goes_on_to_the_bit_with_dropout_batch_norm_and_micro_batches(cadence) -> None:
    words = (*RUN, "--model.name", "mobilenet_v3_small", "--data.image_size", "40", "--data.batch_size", "8")
    words += ("--model.micro_batch_size", "4")
    assert cadence("fit", *words, "--run_dir", "whole") == 0
    assert cadence("fit", *words, "--trainer.max_steps", "3", "--run_dir", "run") == 0
    assert cadence("fit", "--resume", "run", "--trainer.max_steps", "6") == 0
    assert rows(Path("run")) == rows(Path("whole"))
    mine, theirs = weights(Path("run")), weights(Path("whole"))
    assert any("running_mean" in key for key in mine) and all(torch.equal(mine[key], theirs[key]) for key in mine)


def test_described(cadence, capsys) -> None:
    assert cadence("describe", "TorchvisionModel", "name=resnet18", "num_classes=1000", "--format", "json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["weights"] + told["biases"] == 11_689_512 and told["input_shape"] == [3, 224, 224]


class _Plain(nn.Sequential):
    """A network for images of any size from 4 pixels."""

    def __init__(self, in_chans: int, num_classes: int) -> None:
        super().__init__(nn.Conv2d(in_chans, 6, 4), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, num_classes))


class _Sized(nn.Module):
    """A network built for one size."""

    def __init__(self, in_chans: int, num_classes: int, img_size: int = 224) -> None:
        super().__init__()
        if img_size < 8:
            raise AssertionError("no patch in it")
        self.head = nn.Linear(in_chans * img_size**2, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(images.flatten(1))


@pytest.fixture
def timm(monkeypatch: pytest.MonkeyPatch) -> None:
    """A library with timm's two functions, and two networks."""
    networks = {"plain": _Plain, "sized": _Sized}

    def create_model(name: str, pretrained: bool, **options: Any) -> nn.Module:
        assert pretrained is False
        return networks[name](**options)

    library = ModuleType("timm")
    library.__dict__.update(create_model=create_model, list_models=lambda: list(networks))
    monkeypatch.setitem(sys.modules, "timm", library)


@pytest.mark.usefixtures("timm")
@pytest.mark.parametrize("name", ["plain", "sized"])
def test_timm_gets_channels_classes_and_the_size_where_it_is_asked_for(name: str) -> None:
    built = TimmModel(2, 12, 5, name=name)
    assert built(torch.randn(3, 2, 12, 12)).shape == (3, 5)


@pytest.mark.usefixtures("timm")
@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"name": "plane"}, "no network 'plane' for classification: nearest: plain"),
        ({"name": "plain", "image_size": 3}, "plain takes images of 4 x 4 or larger, got 3 x 3"),
        ({"name": "sized", "image_size": 7}, r"sized takes no images of 7 x 7 \(no patch in it\): set data.image_size"),
    ],
)
def test_timms_mistakes_are_named(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        TimmModel(**options)


def test_without_timm_it_is_said_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ValueError, match=r"TimmModel needs timm: install it by pip install 'cadence\[timm\]'"):
        TimmModel()
