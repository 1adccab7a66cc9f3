"""Measured peaks against counts by hand and against the prediction."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from inspection.memory import measured as measured_memory
from inspection.memory.allocator_peaks import peaks_of
from inspection.memory.measured import measure
from inspection.memory.predicted import Memory, predict
from lightning_modules import MLP, VGG19, MiniGoogLeNet, ResNet, SmallCNN

Build = Callable[[], nn.Module]
WORKSPACES = "439 MB are predicted and 508 measured on an H200: no operation's shape tells cuDNN's workspaces"
SGD, MOMENTUM, ADAM = torch.optim.SGD, partial(torch.optim.SGD, momentum=0.9), torch.optim.Adam


def on_meta(build: Build) -> nn.Module:
    with torch.device("meta"):
        return build()


def both(
    build: Build, shape: tuple[int, ...], batch: int, device: str = "cpu", **options: Any
) -> tuple[Memory, measured_memory.Measured]:
    module = on_meta(build)
    predicted = predict(module, shape, batch, **options)
    expected = predicted.training_step
    return predicted, measure(module, shape, batch, **options, device=device, expected=expected, channels_last=True)


def test_blocks_counted_by_hand() -> None:
    before, peaks = torch.empty(1000), peaks_of("cpu")
    with peaks:
        first = torch.empty(100)
        with peaks.phase("two"):
            second = torch.empty(200)
            del second
            third = torch.empty(150)
        del before
        with peaks.phase("nothing new"):
            del first
        with peaks.phase("a view holds"):
            third = third[10:]
            torch.empty(7)
    assert peaks.bytes() == {"two": 1200, "nothing new": 1000, "a view holds": 628}
    assert third.numel() == 140


def test_what_an_earlier_count_left_is_none_of_this_one() -> None:
    earlier = peaks_of("cpu")
    with earlier:
        kept = torch.empty(1000)
    later = peaks_of("cpu")
    with later, later.phase("later"):
        del kept
        torch.empty(30)
    assert later.bytes() == {"later": 120}


def test_a_network_counted_by_hand() -> None:
    network = lambda: nn.Sequential(nn.Flatten(), nn.Linear(36, 20), nn.Sigmoid())  # noqa: E731
    predicted, measured = both(network, (1, 6, 6), 50, optimizer=MOMENTUM)
    parameters, images, outputs = (36 * 20 + 20) * 4, 50 * 36 * 4, 50 * 20 * 4
    assert measured.forward == parameters + images + 2 * outputs
    # where the gradient passes log_softmax: its output and sigmoid's, the gradients of both, the loss and its gradient
    backward = 4 * outputs + 2 * 4
    assert measured.training_step == 2 * parameters + images + backward
    assert (predicted.forward, predicted.training_step) == (measured.forward, measured.training_step)


@pytest.mark.parametrize("optimizer", [SGD, MOMENTUM, ADAM])
@pytest.mark.parametrize(
    ("build", "shape"),
    [
        (ResNet, (3, 32, 32)),
        (partial(MiniGoogLeNet, in_channels=3), (3, 32, 32)),
        (SmallCNN, (1, 28, 28)),
        (MLP, (1, 28, 28)),
    ],
)
def test_the_prediction_is_within_a_tenth(build: Build, shape: tuple[int, ...], optimizer: Any) -> None:
    predicted, measured = both(build, shape, 8, optimizer=optimizer)
    assert predicted.forward == pytest.approx(measured.forward, rel=0.1)
    assert predicted.training_step == pytest.approx(measured.training_step, rel=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", [SGD, MOMENTUM, ADAM])
def test_the_prediction_is_within_a_tenth_for_vgg19(optimizer: Any) -> None:
    predicted, measured = both(VGG19, (3, 224, 224), 8, optimizer=optimizer)
    assert predicted.forward == pytest.approx(measured.forward, rel=0.1)
    assert predicted.training_step == pytest.approx(measured.training_step, rel=0.1)


@pytest.mark.gpu
@pytest.mark.parametrize(
    ("build", "shape", "batch"),
    [
        pytest.param(ResNet, (3, 32, 32), 128, marks=pytest.mark.xfail(reason=WORKSPACES, strict=True)),
        (partial(MiniGoogLeNet, in_channels=3), (3, 32, 32), 128),
        (VGG19, (3, 224, 224), 32),
    ],
)
def test_the_prediction_is_within_a_tenth_on_a_gpu(build: Build, shape: tuple[int, ...], batch: int) -> None:
    predicted, measured = both(build, shape, batch, "cuda", optimizer=MOMENTUM)
    assert predicted.training_step == pytest.approx(measured.training_step, rel=0.1)


@pytest.mark.parametrize("precision", ["64-true", "bf16-true"])
def test_other_precisions_run_too(precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # oneDNN packs bfloat16 weights anew on a CPU that has instructions for them: a tenth of the memory here
    monkeypatch.setattr(torch.backends.mkldnn, "enabled", False)
    size = {"64-true": 8, "bf16-true": 2}[precision]
    _, measured = both(MLP, (1, 28, 28), 8, precision=precision)
    _, single = both(MLP, (1, 28, 28), 8)
    assert measured.forward == pytest.approx(size / 4 * single.forward, rel=0.05)


def test_a_frozen_module_holds_its_batch() -> None:
    predicted, measured = both(lambda: MLP().requires_grad_(False), (1, 28, 28), 8)
    assert measured.training_step == predicted.training_step == predicted.parameters + predicted.images


def test_shared_weights_stay_shared_and_the_module_stays_on_meta() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(64, 64), nn.Linear(64, 64)
            self.second.weight = self.first.weight

        def forward(self, images: Tensor) -> Tensor:
            return self.second(self.first(images.flatten(1)))

    module = on_meta(Tied)
    state = torch.get_rng_state()
    measured = measure(module, (1, 8, 8), 1, device="cpu", expected=0)
    assert measured.forward == (64 * 64 + 2 * 64 + 64 + 2 * 64) * 4
    assert all(parameter.is_meta for parameter in module.parameters())
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"device": "tpu"}, "on cpu or cuda, got tpu: choose"),
        ({"device": "cuda"}, "torch finds no CUDA device here: measure on cpu"),
        ({"precision": "8"}, "precision must be one of"),
        ({"expected": 10**15}, r"a step takes 1,000,000.0 GB of [\d,.]+ that are free: give a smaller batch"),
        (
            {"batch_size": 10**10},
            "memory cannot be measured on cpu with 10000000000 images in 32-true .* a smaller batch",
        ),
    ],
)
def test_refusals(monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], expected: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match=expected):
        measure(on_meta(MLP), **{"inputs": (1, 28, 28), "batch_size": 2, "device": "cpu", "expected": 0} | options)


def test_a_module_that_views_its_maps_is_measured_with_its_channels_first() -> None:
    class Viewing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.maps, self.classes = nn.Conv2d(3, 4, 3), nn.Linear(4 * 36, 10)

        def forward(self, images: Tensor) -> Tensor:
            maps: Tensor = self.maps(images)
            out: Tensor = self.classes(maps.view(len(maps), -1))
            return out

    assert measure(on_meta(Viewing), (3, 8, 8), 2, device="cpu", expected=0).training_step > 0
    with pytest.raises(ValueError, match="view size is not compatible"):
        measure(on_meta(Viewing), (3, 8, 8), 2, device="cpu", expected=0, channels_last=True)


def test_a_module_that_fails_on_values_is_told_in_one_line() -> None:
    class Failing(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            raise IndexError("no such row\nin any table") if not images.is_meta else None

    with pytest.raises(ValueError, match=r"^memory cannot .* \(no such row\): give .*precision$"):
        measure(Failing(), (1, 4, 4), 2, device="cpu", expected=0)
