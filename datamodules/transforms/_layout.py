"""Between (batch, channels, height, width) in channels-last memory and its plain (batch, height, width, channels)."""

from torch import Tensor


def to_rows(images: Tensor) -> Tensor:
    """Images (batch, channels, height, width) as contiguous (batch, height, width, channels); a view if possible."""
    return images.permute(0, 2, 3, 1).contiguous()


def from_rows(pixels: Tensor) -> Tensor:
    """View (batch, height, width, channels) as (batch, channels, height, width) in channels-last memory."""
    return pixels.permute(0, 3, 1, 2)
