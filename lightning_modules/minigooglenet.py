"""MiniGoogLeNet, the network of the learning-rate finder and of the cyclical policies."""

from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor, nn

from checks.arguments import require_positive
from lightning_modules._checks import require_image_size, require_probability
from lightning_modules.classifier import ImageClassifier


class MiniGoogLeNet(ImageClassifier):
    """Eight inception blocks and two downsamplings on 32 x 32: 1,651,114 parameters with 3 channels, 1,649,386 with 1.

    Maps of 32 -> 15 -> 7 -> 1 pixels; channels 96, 64, 80, 160, 160, 160, 160, 144, 240, 336, 336. Every unit is
    convolution, batch norm, ReLU; the convolutions have no bias, as the batch norm behind them has one. 28 x 28
    images are padded or resized to 32.

    Args:
        in_channels: channels of an image.
        image_size: side of the square images, in pixels; 32.
        num_classes: number of classes.
        dropout: probability of dropping one of the 336 pooled features before the linear layer.
        **kwargs: arguments of `ImageClassifier`.

    Raises:
        ValueError: images of another size, a size that is not positive, or a dropout outside [0, 1).
    """

    def __init__(
        self,
        in_channels: int = 1,
        image_size: int = 32,
        num_classes: int = 10,
        dropout: float = 0.5,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        require_positive(in_channels=in_channels, num_classes=num_classes)
        require_image_size("MiniGoogLeNet", image_size, exactly=32)
        require_probability(dropout=dropout)
        self.features = nn.Sequential(
            OrderedDict(
                stem=_conv_unit(in_channels, 96, kernel_size=3, padding=1),
                inception_1=_Inception(96, 32, 32),
                inception_2=_Inception(64, 32, 48),
                downsample_1=_Downsample(80, 80),
                inception_3=_Inception(160, 112, 48),
                inception_4=_Inception(160, 96, 64),
                inception_5=_Inception(160, 80, 80),
                inception_6=_Inception(160, 48, 96),
                downsample_2=_Downsample(144, 96),
                inception_7=_Inception(240, 176, 160),
                inception_8=_Inception(336, 176, 160),
                pool=nn.AvgPool2d(7),
            )
        )
        self.classifier = nn.Sequential(nn.Flatten(), nn.Dropout(dropout), nn.Linear(336, num_classes))

    def forward(self, images: Tensor) -> Tensor:
        """Logits (batch, classes) of images (batch, channels, 32, 32)."""
        return self.classifier(self.features(images))


class _Inception(nn.Module):
    """(batch, channels, s, s) -> (batch, ones + threes, s, s): a 1 x 1 beside a 3 x 3 unit."""

    def __init__(self, channels: int, ones: int, threes: int) -> None:
        super().__init__()
        self.ones = _conv_unit(channels, ones, kernel_size=1)
        self.threes = _conv_unit(channels, threes, kernel_size=3, padding=1)

    def forward(self, maps: Tensor) -> Tensor:
        return torch.cat((self.ones(maps), self.threes(maps)), dim=1)


class _Downsample(nn.Module):
    """(batch, channels, s, s) -> (batch, filters + channels, (s - 1) // 2, (s - 1) // 2): 3 x 3, stride 2, unpadded."""

    def __init__(self, channels: int, filters: int) -> None:
        super().__init__()
        self.conv = _conv_unit(channels, filters, kernel_size=3, stride=2)
        self.pool = nn.MaxPool2d(3, stride=2)

    def forward(self, maps: Tensor) -> Tensor:
        return torch.cat((self.conv(maps), self.pool(maps)), dim=1)


def _conv_unit(channels: int, filters: int, *, kernel_size: int, stride: int = 1, padding: int = 0) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, filters, kernel_size, stride, padding, bias=False),
        nn.BatchNorm2d(filters),
        nn.ReLU(inplace=True),
    )
