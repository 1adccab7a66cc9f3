"""torchvision's networks for classification, untrained, for any number of channels and classes."""

import warnings
from typing import Any

from torch import Tensor, nn

from checks.arguments import require_positive
from lightning_modules._foreign import require_name, require_side, take_channels, take_own_depth, tried
from lightning_modules.classifier import ImageClassifier

# What a builder must be told: no auxiliary heads, whose outputs a plain loss does not know.
_OPTIONS: dict[str, dict[str, Any]] = {
    "googlenet": {"aux_logits": False, "init_weights": True},
    "inception_v3": {"aux_logits": False, "init_weights": True},
}


class TorchvisionModel(ImageClassifier):
    """A network of torchvision by its name, as `torchvision.models.get_model` builds it, without trained weights.

    Parameters with 3 channels and 1,000 classes are those that torchvision documents: resnet18 11,689,512;
    vit_b_16 86,567,656 at 224 x 224. googlenet and inception_v3 come without their auxiliary heads, vision
    transformers with the position embedding of `image_size`. For other than 3 channels the first convolution is
    another one of the same kernel, stride and padding, which starts from torch's default.

    Args:
        in_channels: channels of an image.
        image_size: side of the square images, in pixels; the smallest depends on the network, and is told.
        num_classes: number of classes.
        name: torchvision's name of the network; `torchvision.models.list_models()` has them.
        **kwargs: arguments of `ImageClassifier`.

    Raises:
        ValueError: an unknown name, or images that the network does not take.
    """

    def __init__(
        self,
        in_channels: int = 3,
        image_size: int = 224,
        num_classes: int = 10,
        name: str = "resnet18",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        require_positive(in_channels=in_channels, image_size=image_size, num_classes=num_classes)
        from torchvision import models, ops

        require_name("torchvision", name, models.list_models(module=models))
        if (unit := _unit(name)) is not None and image_size % unit:
            raise ValueError(
                f"{name} takes images of a multiple of {unit} pixels, got {image_size} x {image_size}: "
                f"set data.image_size to {-(-image_size // unit) * unit}"
            )
        self.network = _built(name, image_size, num_classes)
        take_channels(self.network, in_channels)
        take_own_depth(self.network, ops.StochasticDepth)
        trial = tried(self.network, in_channels, image_size)
        require_side(name, trial, image_size, lambda side: tried(self.network, in_channels, side))
        self.single_values = trial.single_values

    def forward(self, images: Tensor) -> Tensor:
        """Logits (batch, classes) of images (batch, channels, height, width)."""
        return self.network(images)


def _unit(name: str) -> int | None:
    """The number of pixels of which an image's side must be a multiple, where a network is built for one size."""
    if name.startswith("vit_"):
        return int(name.rpartition("_")[2])  # its patches
    return 224 if name == "maxvit_t" else None  # windows of 7 pixels on maps that halve five times


def _built(name: str, image_size: int, classes: int) -> nn.Module:
    from torchvision import models

    options = dict(_OPTIONS.get(name, {}))
    if name.startswith("vit_"):
        options["image_size"] = image_size
    elif name == "maxvit_t":
        options["input_size"] = (image_size, image_size)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of how long its initialisation may take
        return models.get_model(name, weights=None, num_classes=classes, **options)
