"""The smallest network: two convolutions and a linear layer."""

from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from checks.arguments import require_positive
from lightning_modules._checks import require_image_size_from
from lightning_modules.classifier import ImageClassifier


class SmallCNN(ImageClassifier):
    """Two 3 x 3 convolutions with max-pooling and a linear layer: 2,710 parameters on 1 x 28 x 28.

    Layers: conv 16, pool, conv 4, pool, linear; maps of 28 -> 14 -> 7 pixels. The cross-entropy of these logits is the
    negative log-likelihood after a log_softmax.

    Args:
        in_channels: channels of an image.
        image_size: side of the square images, in pixels; at least 4, as it is halved twice.
        num_classes: number of classes.
        **kwargs: arguments of `ImageClassifier`.

    Raises:
        ValueError: a size is not positive, or the images are too small.
    """

    def __init__(self, in_channels: int = 1, image_size: int = 28, num_classes: int = 10, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        require_positive(in_channels=in_channels, image_size=image_size, num_classes=num_classes)
        require_image_size_from("SmallCNN", image_size, smallest=4)
        self.conv1 = nn.Conv2d(in_channels, 16, kernel_size=3, padding=1)
        self.conv2 = nn.Conv2d(16, 4, kernel_size=3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.fc1 = nn.Linear(4 * (image_size // 4) ** 2, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (batch, classes) of images (batch, channels, height, width)."""
        # ReLU usually comes before the pooling. It never decreases, so the two commute, gradients included: a window
        # whose largest value is positive passes its gradient there, any other passes none. On the pooled map ReLU
        # touches a quarter of the values.
        maps = F.relu(self.pool(self.conv1(images)), inplace=True)
        maps = F.relu(self.pool(self.conv2(maps)), inplace=True)
        return self.fc1(maps.flatten(1))
