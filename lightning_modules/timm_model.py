"""timm's networks, untrained, for any number of channels and classes; timm is an extra of its own."""

from typing import Any

from torch import Tensor, nn

from checks.arguments import require_positive
from lightning_modules._foreign import require_name, require_side, tried
from lightning_modules.classifier import ImageClassifier


class TimmModel(ImageClassifier):
    """A network of timm by its name, as `timm.create_model` builds it, without trained weights.

    It needs timm: `pip install 'cadence[timm]'`. Channels and classes are timm's own `in_chans` and `num_classes`, and
    networks that are built for one size get `image_size` as timm's `img_size`. Parameters with 3 channels and 1,000
    classes: resnet18 11,689,512; vit_tiny_patch16_224 5,717,416.

    Args:
        in_channels: channels of an image.
        image_size: side of the square images, in pixels; the smallest depends on the network, and is told.
        num_classes: number of classes.
        name: timm's name of the network; `timm.list_models()` has them.
        **kwargs: arguments of `ImageClassifier`.

    Raises:
        ValueError: timm is not installed, an unknown name, or images that the network does not take.
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
        try:
            import timm
        except ImportError as error:
            raise ValueError("TimmModel needs timm: install it by pip install 'cadence[timm]'") from error
        require_name("timm", name, timm.list_models())
        self.network = _built(timm, name, in_channels, image_size, num_classes)
        trial = tried(self.network, in_channels, image_size)
        require_side(name, trial, image_size, lambda side: tried(self.network, in_channels, side))
        self.single_values = trial.single_values

    def forward(self, images: Tensor) -> Tensor:
        """Logits (batch, classes) of images (batch, channels, height, width)."""
        return self.network(images)


def _built(timm: Any, name: str, channels: int, side: int, classes: int) -> nn.Module:
    """The network, for images of a side where it is built for one size, and for any size elsewhere."""
    options = {"pretrained": False, "in_chans": channels, "num_classes": classes}
    try:
        network: nn.Module = timm.create_model(name, **options, img_size=side)
    except TypeError as error:
        if "img_size" not in str(error):
            raise
        network = timm.create_model(name, **options)
    except (AssertionError, RuntimeError, ValueError) as error:
        raise ValueError(f"{name} takes no images of {side} x {side} ({error}): set data.image_size to 224") from error
    return network
