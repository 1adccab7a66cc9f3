"""GoogLeNet's two inception blocks: 128, 192 and 96 filters of 1 x 1, 3 x 3 and 5 x 5.

Both take (batch, in_channels, s, s) and join four branches along the channels, ReLU behind every convolution
(Szegedy et al., 1409.4842, section 5). The convolutions have no bias and no batch norm, so that on an s x s map
multiplications = s^2 * parameters.
"""

import torch
from torch import Tensor, nn

from checks.arguments import require_positive


class NaiveInception(nn.Module):
    """Naive inception block: 1 x 1, 3 x 3 and 5 x 5 convolutions beside a max-pool (figure 2a).

    On 32 x 32 x 256: 32 x 32 x 672 and 1,115,684,864 multiplications. The pooled branch keeps all its channels, so
    that blocks in a row grow without end.

    Args:
        in_channels: channels of the input.

    Raises:
        ValueError: in_channels is not positive.
    """

    def __init__(self, in_channels: int = 256) -> None:
        super().__init__()
        require_positive(in_channels=in_channels)
        self.ones = _convolution(in_channels, 128, 1)
        self.threes = _convolution(in_channels, 192, 3)
        self.fives = _convolution(in_channels, 96, 5)
        self.pool = nn.MaxPool2d(3, stride=1, padding=1)

    def forward(self, maps: Tensor) -> Tensor:
        """(batch, in_channels, s, s) -> (batch, 416 + in_channels, s, s)."""
        return torch.cat((self.ones(maps), self.threes(maps), self.fives(maps), self.pool(maps)), dim=1)


class ReducedInception(nn.Module):
    """Inception block with dimension reduction: 1 x 1 convolutions to 64 channels before the costly ones (figure 2b).

    On 32 x 32 x 256: 32 x 32 x 480 and 354,418,688 multiplications, 3.148 times fewer than the naive block's.

    Args:
        in_channels: channels of the input.

    Raises:
        ValueError: in_channels is not positive.
    """

    def __init__(self, in_channels: int = 256) -> None:
        super().__init__()
        require_positive(in_channels=in_channels)
        self.ones = _convolution(in_channels, 128, 1)
        self.threes = nn.Sequential(_convolution(in_channels, 64, 1), _convolution(64, 192, 3))
        self.fives = nn.Sequential(_convolution(in_channels, 64, 1), _convolution(64, 96, 5))
        self.pool = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), _convolution(in_channels, 64, 1))

    def forward(self, maps: Tensor) -> Tensor:
        """(batch, in_channels, s, s) -> (batch, 480, s, s)."""
        return torch.cat((self.ones(maps), self.threes(maps), self.fives(maps), self.pool(maps)), dim=1)


def _convolution(channels: int, filters: int, kernel_size: int) -> nn.Sequential:
    convolution = nn.Conv2d(channels, filters, kernel_size, padding=kernel_size // 2, bias=False)
    return nn.Sequential(convolution, nn.ReLU(inplace=True))
