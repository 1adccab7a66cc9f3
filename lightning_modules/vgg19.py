"""VGG19: depth from small filters."""

from typing import Any

from torch import Tensor, nn

from checks.arguments import require_positive
from lightning_modules._checks import require_image_size, require_probability
from lightning_modules.classifier import ImageClassifier

# Convolutions and filters of each stage: column E of the paper's table 1.
_STAGES = ((2, 64), (2, 128), (4, 256), (4, 512), (4, 512))


class VGG19(ImageClassifier):
    """VGG19 (Simonyan and Zisserman, 1409.1556) on 224 x 224: 143,667,240 parameters with 1,000 classes.

    Sixteen 3 x 3 convolutions in five stages, each ended by a 2 x 2 max-pool, maps of 224 -> 112 -> 56 -> 28 -> 14
    -> 7 pixels; then 4096-4096-classes with dropout. Without biases 143,652,544.

    Weights start from Glorot and Bengio's uniform draw, biases at 0: the paper (section 3.1) found that this does
    without its pre-trained shallower nets, which N(0, 0.01) needs at this depth. Smaller images are resized by the
    datamodule, which has the option.

    Args:
        in_channels: channels of an image.
        image_size: side of the square images, in pixels; 224.
        num_classes: number of classes.
        bias: give convolutions and linear layers biases.
        dropout: probability of dropping a unit of the two hidden linear layers (section 3.1).
        **kwargs: arguments of `ImageClassifier`.

    Raises:
        ValueError: images of another size, a size that is not positive, or a dropout outside [0, 1).
    """

    def __init__(
        self,
        in_channels: int = 3,
        image_size: int = 224,
        num_classes: int = 10,
        bias: bool = True,
        dropout: float = 0.5,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        require_positive(in_channels=in_channels, num_classes=num_classes)
        require_image_size("VGG19", image_size, exactly=224)
        require_probability(dropout=dropout)
        self.features = nn.Sequential()
        channels = in_channels
        for convolutions, filters in _STAGES:
            for _ in range(convolutions):
                self.features.append(nn.Conv2d(channels, filters, kernel_size=3, padding=1, bias=bias))
                self.features.append(nn.ReLU(inplace=True))
                channels = filters
            self.features.append(nn.MaxPool2d(2))
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(512 * 7 * 7, 4096, bias=bias),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(4096, 4096, bias=bias),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(4096, num_classes, bias=bias),
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (batch, classes) of images (batch, channels, 224, 224)."""
        return self.classifier(self.features(images))
