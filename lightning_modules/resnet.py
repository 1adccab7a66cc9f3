"""The residual networks for 32 x 32 images of He et al. (1512.03385), section 4.2."""

from typing import Any, Literal

from torch import Tensor, nn
from torch.nn import functional as F

from checks.arguments import require_choice, require_positive
from lightning_modules.classifier import ImageClassifier

DEEPEST = 1202  # the paper's own


class ResNet(ImageClassifier):
    """Residual network of depth 6n + 2 for small images (ResNet-20, 32, 44, 56).

    A 3 x 3 convolution, then three stages of n blocks with 16, 32 and 64 filters on maps of 32, 16 and 8 pixels,
    global average pooling, a linear layer. A block is conv-BN-ReLU-conv-BN, plus its input, ReLU. Parameters with
    shortcut A, 3 channels and 10 classes: 269,722 (20), 464,154 (32), 658,586 (44), 853,018 (56); 44 with B: 661,338.
    Convolutions start from He et al. (1502.01852): N(0, 2 / fan_out). The linear layer keeps torch's default.

    Args:
        in_channels: channels of an image.
        image_size: side of the square images, in pixels; any, as the last maps are averaged.
        num_classes: number of classes.
        depth: layers with weights, 6n + 2.
        shortcut: what joins two stages: `A`, every second pixel and zeros for the new channels (He et al.); `B`, a
            1 x 1 convolution of stride 2 with batch norm (Hoffer et al., 1901.09335, published code).
        zero_init_last_gamma: start each block's last batch norm at gamma 0, so that every block begins as its shortcut
            (Hoffer et al., published code).
        **kwargs: arguments of `ImageClassifier`.

    Raises:
        ValueError: a depth that is not 6n + 2, an unknown shortcut, or a size that is not positive.
    """

    def __init__(
        self,
        in_channels: int = 3,
        image_size: int = 32,
        num_classes: int = 10,
        depth: int = 44,
        shortcut: Literal["A", "B"] = "A",
        zero_init_last_gamma: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        require_positive(in_channels=in_channels, image_size=image_size, num_classes=num_classes)
        require_choice(("A", "B"), shortcut=shortcut)
        if depth % 6 != 2 or not 8 <= depth <= DEEPEST:
            raise ValueError(f"depth must be 6n + 2 from 8 to {DEEPEST}, got {depth}: try 20, 32, 44 or 56")
        blocks = (depth - 2) // 6
        self.conv = nn.Conv2d(in_channels, 16, kernel_size=3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(16)
        self.stage1 = _stage(16, 16, blocks, shortcut)
        self.stage2 = _stage(16, 32, blocks, shortcut)
        self.stage3 = _stage(32, 64, blocks, shortcut)
        self.fc = nn.Linear(64, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif zero_init_last_gamma and isinstance(module, _Block):
                nn.init.zeros_(module.bn2.weight)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (batch, classes) of images (batch, channels, height, width)."""
        maps = F.relu(self.bn(self.conv(images)), inplace=True)
        maps = self.stage3(self.stage2(self.stage1(maps)))
        # A plain mean: the backward pass of adaptive pooling is not deterministic on CUDA.
        return self.fc(maps.mean((2, 3)))


class _Block(nn.Module):
    """(batch, channels, s, s) -> (batch, filters, s / stride, s / stride)."""

    def __init__(self, channels: int, filters: int, stride: int, shortcut: nn.Module) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, filters, kernel_size=3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(filters)
        self.conv2 = nn.Conv2d(filters, filters, kernel_size=3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(filters)
        self.shortcut = shortcut

    def forward(self, maps: Tensor) -> Tensor:
        residual = F.relu(self.bn1(self.conv1(maps)), inplace=True)
        residual = self.bn2(self.conv2(residual))
        return F.relu(residual.add_(self.shortcut(maps)), inplace=True)


class _ZeroPaddedShortcut(nn.Module):
    """Option A: every second pixel, zeros in the channels that the input lacks; no parameters, no multiplications."""

    def __init__(self, new_channels: int) -> None:
        super().__init__()
        self.new_channels = new_channels

    def forward(self, maps: Tensor) -> Tensor:
        return F.pad(maps[:, :, ::2, ::2], (0, 0, 0, 0, 0, self.new_channels))


def _stage(channels: int, filters: int, blocks: int, shortcut: Literal["A", "B"]) -> nn.Sequential:
    if channels == filters:
        first = _Block(channels, filters, 1, nn.Identity())
    elif shortcut == "A":
        first = _Block(channels, filters, 2, _ZeroPaddedShortcut(filters - channels))
    else:
        projection = nn.Conv2d(channels, filters, kernel_size=1, stride=2, bias=False)
        first = _Block(channels, filters, 2, nn.Sequential(projection, nn.BatchNorm2d(filters)))
    rest = [_Block(filters, filters, 1, nn.Identity()) for _ in range(blocks - 1)]
    return nn.Sequential(first, *rest)
