"""The convolutional network to compare with MLPs of like size."""

from typing import Any

from torch import Tensor, nn

from checks.arguments import require_positive
from lightning_modules._checks import require_image_size_from
from lightning_modules.classifier import ImageClassifier


class StridedCNN(ImageClassifier):
    """Five convolutions of stride 1 and 2 in turn, a max-pool and two linear layers: 763,094 parameters on 1 x 28 x 28.

    Kernels of 3, 5, 3, 5, 3 pixels with 16, 32, 64, 128 and 256 filters, strides
    1, 2, 1, 2, 1, padding 1 and 2; maps of 28 -> 14 -> 7 -> pool 3 pixels; then 100-classes. ReLU follows every
    convolution and the first linear layer.

    Args:
        in_channels: channels of an image.
        image_size: side of the square images, in pixels; at least 5.
        num_classes: number of classes.
        **kwargs: arguments of `ImageClassifier`.

    Raises:
        ValueError: a size is not positive, or the images are too small.
    """

    def __init__(self, in_channels: int = 1, image_size: int = 28, num_classes: int = 10, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        require_positive(in_channels=in_channels, image_size=image_size, num_classes=num_classes)
        require_image_size_from("StridedCNN", image_size, smallest=5)
        # Each stride-2 convolution halves upwards (28, 14, 7), the pooling downwards (7, 3).
        side = (image_size + 3) // 4 // 2
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, 16, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(16, 32, kernel_size=5, stride=2, padding=2),
            nn.ReLU(inplace=True),
            nn.Conv2d(32, 64, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(64, 128, kernel_size=5, stride=2, padding=2),
            nn.ReLU(inplace=True),
            nn.Conv2d(128, 256, kernel_size=3, padding=1),
            nn.MaxPool2d(2),  # ReLU commutes with max-pooling and is cheaper behind it: see SmallCNN
            nn.ReLU(inplace=True),
        )
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(256 * side**2, 100),
            nn.ReLU(inplace=True),
            nn.Linear(100, num_classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Logits (batch, classes) of images (batch, channels, height, width)."""
        return self.classifier(self.features(images))
