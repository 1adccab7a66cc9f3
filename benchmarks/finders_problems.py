"""Problems on which finders of learning rates are compared: chosen, and kept, before anything was measured on them.

None is among those from which the suggestion of `LRRangeTest` and its race were chosen. Each is small enough for one
core: some thousand training images, 96 to 160 steps.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from datamodules import CIFAR10, FashionMNIST
from lightning_modules import MLP, MiniGoogLeNet, ResNet, SmallCNN
from lightning_modules.classifier import ImageClassifier
from optimizers import Madam

SEEDS = (1, 2, 3)
HALF_DECADES = np.arange(11) / 2
TEST = 2000  # test images that a rate is judged by
HELD = 512  # training images that are neither trained on nor judged by: what a race may look at


@dataclass(frozen=True)
class Problem:
    """A network, a dataset, an optimizer and a number of steps.

    Attributes:
        name: name in tables.
        network: function of channels, side and classes.
        data: datamodule class.
        make: optimizer class, with all but parameters and rate.
        steps: number of training steps.
        images: number of training images.
        batch_size: number of images in a step.
        lowest: lowest rate of the grid, which goes up by half decades.
        options: options of the datamodule.
    """

    name: str
    network: Callable[[int, int, int], ImageClassifier]
    data: type[Any]
    make: Callable[..., Optimizer]
    steps: int = 160
    images: int = 4000
    batch_size: int = 64
    lowest: float = 1e-4
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def grid(self) -> list[float]:
        """Eleven rates, half a decade apart."""
        return [float(f"{rate:.6g}") for rate in self.lowest * 10**HALF_DECADES]

    def module(self, seed: int) -> ImageClassifier:
        """The network with the initial weights of a seed."""
        data = self.datamodule(seed)
        torch.manual_seed(seed)
        return self.network(data.in_channels, data.image_size, data.num_classes)

    def datamodule(self, seed: int) -> Any:
        """The first images of the training set, `HELD` more for validation, and the first of the test set."""
        settings = {"batch_size": self.batch_size, "seed": seed, **self.options}
        return _first(self.data, self.images)(**settings)

    def optimizer(self, params: Iterable[Tensor] | list[dict[str, Any]], lr: float) -> Optimizer:
        """The optimizer at a rate."""
        return self.make(params, lr=lr)


def _first(base: type[Any], images: int) -> type[Any]:
    """A dataset's first training images, the next ones for validation, and its first test images."""

    def load(self: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        train_images, train_labels, test_images, test_labels = base.load(self)
        train_images, train_labels = train_images[: images + HELD], train_labels[: images + HELD]
        return train_images, train_labels, test_images[:TEST], test_labels[:TEST]

    def split(self: Any, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.arange(images), np.arange(images, len(labels))

    return type(f"First{base.__name__}", (base,), {"load": load, "split": split})


def narrow_googlenet(channels: int, side: int, classes: int) -> ImageClassifier:
    """MiniGoogLeNet with a quarter of the channels everywhere; batch norms and convolutions start as torch's do."""
    model = MiniGoogLeNet(channels, side, classes)
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Conv2d):
                inputs = child.in_channels if child.in_channels == channels else child.in_channels // 4
                shape = child.kernel_size, child.stride, child.padding
                setattr(parent, name, nn.Conv2d(inputs, child.out_channels // 4, *shape, bias=False))
            elif isinstance(child, nn.BatchNorm2d):
                setattr(parent, name, nn.BatchNorm2d(child.num_features // 4))
            elif isinstance(child, nn.Linear):
                setattr(parent, name, nn.Linear(child.in_features // 4, classes))
    return model


MOMENTUM = partial(torch.optim.SGD, momentum=0.9)
MADAM = partial(Madam, zero_tensors="sgd")
RESNET = partial(ResNet, depth=8)

PROBLEMS = (  # the cheap ones first
    Problem("softmax, Fashion, Madam", partial(MLP, hidden_sizes=[]), FashionMNIST, MADAM),
    Problem("MLP, Fashion, SGD", MLP, FashionMNIST, torch.optim.SGD),
    Problem("MLP, Fashion, Adam", MLP, FashionMNIST, torch.optim.Adam),
    Problem("MLP, CIFAR-10, Adadelta", partial(MLP, hidden_sizes=[100]), CIFAR10, torch.optim.Adadelta, lowest=1e-3),
    Problem("SmallCNN, Fashion, SGD", SmallCNN, FashionMNIST, torch.optim.SGD),
    Problem("SmallCNN, Fashion, Madam", SmallCNN, FashionMNIST, MADAM),
    Problem("SmallCNN, Fashion, Adadelta", SmallCNN, FashionMNIST, torch.optim.Adadelta, lowest=1e-3),
    Problem("SmallCNN, CIFAR-10, RMSprop", SmallCNN, CIFAR10, torch.optim.RMSprop),
    Problem("ResNet-8, CIFAR-10 at 16, Adam", RESNET, CIFAR10, torch.optim.Adam, steps=128, options={"image_size": 16}),
    Problem("ResNet-8, Fashion at 16, Madam", RESNET, FashionMNIST, MADAM, steps=128, options={"image_size": 16}),
    Problem("ResNet-8, CIFAR-10, momentum", RESNET, CIFAR10, MOMENTUM, steps=128, batch_size=32),
    Problem(
        "narrow MiniGoogLeNet, Fashion, momentum", narrow_googlenet, FashionMNIST, MOMENTUM,
        steps=96, images=2000, batch_size=32, options={"image_size": 32, "fit": "pad"},
    ),
)  # fmt: skip
