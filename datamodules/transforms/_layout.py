"""Channels-last images (batch, channels, height, width) seen as (batch, height, width, channels), and back."""

import torch
from torch import Tensor

INTEGER_OF_SIZE = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}  # to see pixels as bits: by bytes


def to_rows(images: Tensor) -> Tensor:
    """Images (batch, channels, height, width) as contiguous (batch, height, width, channels); a view where possible."""
    return images.permute(0, 2, 3, 1).contiguous()


def from_rows(pixels: Tensor) -> Tensor:
    """View (batch, height, width, channels) as (batch, channels, height, width) in channels-last memory."""
    return pixels.permute(0, 3, 1, 2)
