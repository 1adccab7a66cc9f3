"""Transforms without random draws: normalise, pad, resize, grey to RGB."""

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from checks.arguments import require_within
from datamodules.transforms._layout import from_rows, to_rows
from datamodules.transforms._pipeline import MOST_PIXELS, RowTransform

_WEIGHT_BITS = 11  # of an interpolation weight: 255 * 2**22 stays within int32
_ONE = 1 << _WEIGHT_BITS


def normalize(images: Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """(x / 255 - mean) / std, computed in float32 as x * (1 / (255 std)) + (-mean / std).

    It is rounded after the product and again after the sum, rather than once in a fused multiply-add, which not every
    device has: so the result is the same to the bit on all of them.

    Args:
        images: (batch, channels, height, width), in [0, 255].
        mean: mean of each channel, for values in [0, 1].
        std: standard deviation of each channel, for values in [0, 1].

    Returns:
        float32 of the same shape, channels-last.
    """
    pixels = to_rows(images)
    # constants for each value of a whole image: a loop over three channels alone is too short to be vectorised
    scale, shift = _constants(mean, std, pixels.shape[1] * pixels.shape[2], images.device)
    flat = pixels.flatten(1).to(torch.float32, copy=True)
    return from_rows(flat.mul_(scale).add_(shift).view(pixels.shape))


def pad(images: Tensor, size: int) -> Tensor:
    """Zeros around images (batch, channels, height, width) up to size x size; the odd pixel goes right and below.

    Raises:
        ValueError: an image is larger than `size`.
    """
    height, width = images.shape[2:]
    _require_room(size, height, width)
    top, left = (size - height) // 2, (size - width) // 2
    sides = (0, 0, left, size - width - left, top, size - height - top)
    return from_rows(F.pad(to_rows(images), sides))


def resize(images: Tensor, size: int) -> Tensor:
    """Bilinear resize to size x size, half-pixel centres, without antialiasing: made for enlarging.

    Integer arithmetic: weights in steps of 2**-11 on each axis, one rounding (half up) at the end. The same to the
    bit on every device, and within one grey level of float interpolation.

    Args:
        images: uint8 (batch, channels, height, width).
        size: height and width of the result.

    Returns:
        uint8 (batch, channels, size, size), channels-last.

    Raises:
        ValueError: the images are not uint8.
    """
    if images.dtype != torch.uint8:
        raise ValueError(f"Resize takes uint8 images, got {images.dtype}: place it before Normalize")
    pixels = to_rows(images)
    upper, lower, weight = _taps(pixels.shape[1], size, images.device)
    weight = weight[:, None, None]
    wide = pixels.to(torch.int32)
    tall = wide.index_select(1, upper) * (_ONE - weight) + wide.index_select(1, lower) * weight
    left, right, weight = _taps(pixels.shape[2], size, images.device)
    weight = weight[:, None]
    mixed = tall.index_select(2, left) * (_ONE - weight) + tall.index_select(2, right) * weight
    return from_rows(((mixed + _ONE * _ONE // 2) >> 2 * _WEIGHT_BITS).to(torch.uint8))


def grey_to_rgb(images: Tensor) -> Tensor:
    """Repeat the one channel of (batch, 1, height, width) three times.

    Raises:
        ValueError: images have another number of channels.
    """
    _require_grey(images.shape[1])
    return from_rows(to_rows(images).expand(-1, -1, -1, 3).contiguous())


class Normalize(RowTransform):
    """To float32 of mean 0 and standard deviation 1: (x / 255 - mean) / std, a channel at a time.

    Args:
        mean: mean of each channel, for values in [0, 1].
        std: standard deviation of each channel, for values in [0, 1].
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        if len(mean) != len(std):
            raise ValueError(f"std must have one value per channel as mean has ({len(mean)}), got {len(std)}")
        if not mean:
            raise ValueError("mean must have at least one value, got none: give one per channel")
        if any(deviation <= 0 for deviation in std):
            raise ValueError(f"std must be above 0, got {list(std)}: 1 leaves a channel's scale alone")
        self.mean, self.std = tuple(mean), tuple(std)

    def apply(self, images: Tensor, words: Tensor) -> Tensor:
        """Normalise; no words needed."""
        self.shape_after(images.shape[1], images.shape[2])
        return normalize(images, self.mean, self.std)

    def shape_after(self, channels: int, side: int) -> tuple[int, int]:
        """As they come in.

        Raises:
            ValueError: there are not as many means as channels.
        """
        if channels != len(self.mean):
            remedy = "give as many, or set data.in_channels instead of GreyToRGB"
            raise ValueError(f"mean must have one value per channel ({channels}), got {len(self.mean)}: {remedy}")
        return channels, side


class Pad(RowTransform):
    """Zeros around the image up to size x size.

    Args:
        size: height and width of the result.
    """

    def __init__(self, size: int) -> None:
        require_within(f"[1, {MOST_PIXELS}]", "32 is usual", size=size)
        self.size = size

    def apply(self, images: Tensor, words: Tensor) -> Tensor:
        """Pad; no words needed."""
        return pad(images, self.size)

    def shape_after(self, channels: int, side: int) -> tuple[int, int]:
        """As many channels, and a side of `size`.

        Raises:
            ValueError: the images are larger.
        """
        _require_room(self.size, side, side)
        return channels, self.size


class Resize(RowTransform):
    """Bilinear resize to size x size.

    Args:
        size: height and width of the result.
    """

    def __init__(self, size: int) -> None:
        require_within(f"[1, {MOST_PIXELS}]", "32 is usual", size=size)
        self.size = size

    def apply(self, images: Tensor, words: Tensor) -> Tensor:
        """Resize; no words needed."""
        return resize(images, self.size)

    def shape_after(self, channels: int, side: int) -> tuple[int, int]:
        """As many channels, and a side of `size`."""
        return channels, self.size


class GreyToRGB(RowTransform):
    """Repeat the grey channel three times, for models that take colour."""

    def apply(self, images: Tensor, words: Tensor) -> Tensor:
        """Repeat; no words needed."""
        return grey_to_rgb(images)

    def shape_after(self, channels: int, side: int) -> tuple[int, int]:
        """Three channels.

        Raises:
            ValueError: there is not one.
        """
        _require_grey(channels)
        return 3, side


def _require_grey(channels: int) -> None:
    if channels != 1:
        raise ValueError(f"GreyToRGB takes images of one channel, got {channels}: leave it out")


def _require_room(size: int, height: int, width: int) -> None:
    if max(height, width) > size:
        raise ValueError(f"size must be at least the images' {height} x {width}, got {size}: Resize can shrink")


@lru_cache(maxsize=32)
def _constants(
    mean: tuple[float, ...], std: tuple[float, ...], pixels: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Factor and summand of each value of an image, laid out as its memory is."""
    scale = [1 / (255 * deviation) for deviation in std]
    shift = [-centre / deviation for centre, deviation in zip(mean, std, strict=True)]
    of_pixel = torch.tensor([scale, shift], dtype=torch.float32)
    laid_out = of_pixel.repeat(1, pixels).to(device)
    return laid_out[0], laid_out[1]


def _taps(length: int, size: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """The two source pixels of each of `size` target pixels, and the second one's weight out of 2**11 (int32)."""
    # in units of 1 / (2 size) source pixels, so that everything stays an integer
    source = ((2 * torch.arange(size, device=device) + 1) * length - size).clamp(min=0)
    first = (source // (2 * size)).clamp(max=length - 1)
    weight = ((source - first * 2 * size) * _ONE + size) // (2 * size)
    return first, (first + 1).clamp(max=length - 1), weight.to(torch.int32)
