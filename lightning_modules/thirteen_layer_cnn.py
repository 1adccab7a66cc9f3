"""The network on which SGD, Adam and Madam are compared."""

from typing import Any

from torch import Tensor, nn

from checks.arguments import require_positive
from lightning_modules._checks import require_image_size_from
from lightning_modules.classifier import ImageClassifier


class ThirteenLayerCNN(ImageClassifier):
    """Six convolutions, one max-pool, two batch norms and four linear layers: 3,430,922 parameters on 3 x 32 x 32.

    Maps of 32 -> 30 -> pool 15 -> 13 pixels, 6, 8, 10, 12, 14 and 16 channels,
    of which only the first two convolutions are 3 x 3 (unpadded) and the other four 1 x 1; then 1024-512-256-classes.
    A batch norm stands after the fifth convolution and one after the second linear layer; ReLU follows every
    convolution and every linear layer but the last, behind the batch norm where there is one.

    Args:
        in_channels: channels of an image.
        image_size: side of the square images, in pixels; at least 8.
        num_classes: number of classes.
        **kwargs: arguments of `ImageClassifier`.

    Raises:
        ValueError: a size is not positive, or the images are too small.
    """

    def __init__(self, in_channels: int = 3, image_size: int = 32, num_classes: int = 10, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        require_positive(in_channels=in_channels, image_size=image_size, num_classes=num_classes)
        require_image_size_from("ThirteenLayerCNN", image_size, smallest=8)
        side = (image_size - 2) // 2 - 2
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, 6, kernel_size=3),
            nn.MaxPool2d(2),  # ReLU commutes with max-pooling and is cheaper behind it: see SmallCNN
            nn.ReLU(inplace=True),
            nn.Conv2d(6, 8, kernel_size=3),
            nn.ReLU(inplace=True),
            nn.Conv2d(8, 10, kernel_size=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(10, 12, kernel_size=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(12, 14, kernel_size=1),
            nn.BatchNorm2d(14),
            nn.ReLU(inplace=True),
            nn.Conv2d(14, 16, kernel_size=1),
            nn.ReLU(inplace=True),
        )
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(16 * side**2, 1024),
            nn.ReLU(inplace=True),
            nn.Linear(1024, 512),
            nn.BatchNorm1d(512),
            nn.ReLU(inplace=True),
            nn.Linear(512, 256),
            nn.ReLU(inplace=True),
            nn.Linear(256, num_classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Logits (batch, classes) of images (batch, channels, height, width); training takes two images or more."""
        return self.classifier(self.features(images))
