"""AlexNet as its paper has it: two groups, overlapping pooling, local response normalisation."""

from typing import Any, Literal

from torch import Tensor, nn
from torch.nn import functional as F

from checks.arguments import require_choice, require_positive
from lightning_modules._checks import require_image_size, require_probability
from lightning_modules.classifier import ImageClassifier


class AlexNet(ImageClassifier):
    """AlexNet (Krizhevsky et al., 2012) on 224 x 224: 60,965,224 parameters with 1,000 classes, 62,378,344 ungrouped.

    Maps of 55 -> 27 -> 13 -> 6 pixels, 96, 256, 384, 384 and 256 filters, then 4096-4096-classes (section 3.5). The
    first convolution pads by 2, without which 224 pixels do not give the paper's 55. Parameters by layer: 34,944;
    307,456; 885,120; 663,936; 442,624; 37,752,832; 16,781,312; 4,097,000.

    Weights start from N(0, 0.01^2); the biases of convolutions 2, 4, 5 and of the hidden linear layers at 1, the others
    at 0 (section 5). Smaller images are resized by the datamodule, which has the option.

    Args:
        in_channels: channels of an image.
        image_size: side of the square images, in pixels; 224.
        num_classes: number of classes.
        groups: groups of convolutions 2, 4 and 5: the paper's 2 (one a GPU), or 1.
        dropout: probability of dropping a unit of the two hidden linear layers (section 4.2).
        **kwargs: arguments of `ImageClassifier`.

    Raises:
        ValueError: images of another size, other groups, a size that is not positive, a dropout outside [0, 1).
    """

    def __init__(
        self,
        in_channels: int = 3,
        image_size: int = 224,
        num_classes: int = 10,
        groups: Literal[1, 2] = 2,
        dropout: float = 0.5,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        require_positive(in_channels=in_channels, num_classes=num_classes)
        require_image_size("AlexNet", image_size, exactly=224)
        require_choice((1, 2), groups=groups)
        require_probability(dropout=dropout)
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, 96, kernel_size=11, stride=4, padding=2),
            nn.ReLU(inplace=True),
            LocalResponseNorm(),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(96, 256, kernel_size=5, padding=2, groups=groups),
            nn.ReLU(inplace=True),
            LocalResponseNorm(),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(256, 384, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(384, 384, kernel_size=3, padding=1, groups=groups),
            nn.ReLU(inplace=True),
            nn.Conv2d(384, 256, kernel_size=3, padding=1, groups=groups),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2),
        )
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(256 * 6 * 6, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(4096, num_classes),
        )
        layers = [module for module in self.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
        for layer, bias in zip(layers, (0, 1, 0, 1, 1, 1, 1, 0), strict=True):
            nn.init.normal_(layer.get_parameter("weight"), std=0.01)
            nn.init.constant_(layer.get_parameter("bias"), bias)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (batch, classes) of images (batch, channels, 224, 224)."""
        return self.classifier(self.features(images))


class LocalResponseNorm(nn.Module):
    """Each value over (2 + 1e-4 * sum of squares over 5 neighbouring channels)^0.75, section 3.3; keeps the shape.

    torch's module of this name divides alpha by the window's size, which the paper does not, and its backward pass is
    not deterministic on CUDA.
    """

    def forward(self, maps: Tensor) -> Tensor:
        """Normalised maps (batch, channels, height, width)."""
        channels = maps.shape[1]
        squares = F.pad(maps.square(), (0, 0, 0, 0, 2, 2))
        energy = squares[:, :channels]
        for shift in range(1, 5):
            energy = energy + squares[:, shift : shift + channels]
        return maps * (2 + 1e-4 * energy).pow(-0.75)
