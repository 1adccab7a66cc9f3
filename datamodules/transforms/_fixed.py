"""Transforms without chance: normalise, pad, resize, grey to RGB."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from datamodules.transforms._layout import from_rows, to_rows
from datamodules.transforms._pipeline import RowTransform

_WEIGHT_BITS = 11  # of an interpolation weight: 255 * 2**22 stays within int32


def normalize(images: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Float32 `images * scale + shift`, a channel at a time, rounded after the product and after the sum.

    Two roundings (never a fused multiply-add) make the result the same to the bit on every device.

    Args:
        images: (batch, channels, height, width), in [0, 255].
        scale: float32 (channels,).
        shift: float32 (channels,).
    """
    pixels = to_rows(images)
    batch, height, width, channels = pixels.shape
    # a line of constants as long as a whole image's: three channels would make too short an inner loop
    flat = pixels.view(batch, -1).to(torch.float32, copy=True)
    flat.mul_(scale.repeat(height * width)).add_(shift.repeat(height * width))
    return from_rows(flat.view(batch, height, width, channels))


def pad(images: Tensor, size: int) -> Tensor:
    """Zeros around images (batch, channels, height, width) up to size x size; the odd pixel goes right and below.

    Raises:
        ValueError: an image is larger than `size`.
    """
    height, width = images.shape[2:]
    if max(height, width) > size:
        raise ValueError(f"size must be at least the images' {height} x {width}, got {size}: Resize can shrink")
    top, left = (size - height) // 2, (size - width) // 2
    sides = (0, 0, left, size - width - left, top, size - height - top)
    return from_rows(F.pad(to_rows(images), sides))


def resize(images: Tensor, size: int) -> Tensor:
    """Bilinear resize to size x size, half-pixel centres, without antialiasing: made for enlarging.

    Integer arithmetic: weights in steps of 2**-11 an axis, one rounding (half up) at the end; the same to the bit on
    every device, and within one grey level of float interpolation.

    Args:
        images: uint8 (batch, channels, height, width).
        size: height and width of the result.

    Returns:
        uint8 (batch, channels, size, size), channels-last.
    """
    pixels = to_rows(images)
    upper, lower, weight = _taps(pixels.shape[1], size, images.device)
    weight = weight[:, None, None]
    wide = pixels.to(torch.int32)
    tall = wide[:, upper] * (_ONE - weight) + wide[:, lower] * weight
    left, right, weight = _taps(pixels.shape[2], size, images.device)
    weight = weight[:, None]
    mixed = tall[:, :, left] * (_ONE - weight) + tall[:, :, right] * weight
    return from_rows(((mixed + _ONE * _ONE // 2) >> 2 * _WEIGHT_BITS).to(torch.uint8))


def grey_to_rgb(images: Tensor) -> Tensor:
    """Repeat the one channel of (batch, 1, height, width) three times.

    Raises:
        ValueError: images have another number of channels.
    """
    if images.shape[1] != 1:
        raise ValueError(f"GreyToRGB takes images of one channel, got {images.shape[1]}: leave it out")
    return from_rows(to_rows(images).expand(-1, -1, -1, 3).contiguous())


class Normalize(RowTransform):
    """To float32: (x / 255 - mean) / std, a channel at a time, computed as x * (1 / (255 std)) + (-mean / std).

    Args:
        mean: of each channel, for values in [0, 1].
        std: of each channel, for values in [0, 1].
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        if len(mean) != len(std):
            raise ValueError(f"std must have one value per channel as mean has ({len(mean)}), got {len(std)}")
        if any(deviation <= 0 for deviation in std):
            raise ValueError(f"std must be above 0, got {list(std)}: 1 leaves a channel's scale alone")
        self.mean, self.std = tuple(mean), tuple(std)
        scale = [1 / (255 * deviation) for deviation in std]
        shift = [-centre / deviation for centre, deviation in zip(mean, std, strict=True)]
        self._constants = {torch.device("cpu"): (torch.tensor(scale), torch.tensor(shift))}

    def apply(self, images: Tensor, words: Tensor) -> Tensor:
        """Normalise; no words needed."""
        if images.shape[1] != len(self.mean):
            raise ValueError(f"mean must have one value per channel ({images.shape[1]}), got {len(self.mean)}")
        if images.device not in self._constants:
            scale, shift = self._constants[torch.device("cpu")]
            self._constants[images.device] = scale.to(images.device), shift.to(images.device)
        return normalize(images, *self._constants[images.device])


class Pad(RowTransform):
    """Zeros around the image up to size x size.

    Args:
        size: height and width of the result.
    """

    def __init__(self, size: int) -> None:
        _check_size(size)
        self.size = size

    def apply(self, images: Tensor, words: Tensor) -> Tensor:
        """Pad; no words needed."""
        return pad(images, self.size)


class Resize(RowTransform):
    """Bilinear resize to size x size.

    Args:
        size: height and width of the result.
    """

    def __init__(self, size: int) -> None:
        _check_size(size)
        self.size = size

    def apply(self, images: Tensor, words: Tensor) -> Tensor:
        """Resize; no words needed."""
        return resize(images, self.size)


class GreyToRGB(RowTransform):
    """Repeat the grey channel three times, for models that take colour."""

    def apply(self, images: Tensor, words: Tensor) -> Tensor:
        """Repeat; no words needed."""
        return grey_to_rgb(images)


_ONE = 1 << _WEIGHT_BITS


def _taps(length: int, size: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """The two source pixels of each of `size` target pixels, and the second one's weight out of 2**11 (int32)."""
    # in units of 1 / (2 size) source pixels, so that everything stays an integer
    source = ((2 * torch.arange(size, device=device) + 1) * length - size).clamp(min=0)
    first = (source // (2 * size)).clamp(max=length - 1)
    weight = ((source - first * 2 * size) * _ONE + size) // (2 * size)
    return first, (first + 1).clamp(max=length - 1), weight.to(torch.int32)


def _check_size(size: int) -> None:
    if size < 1:
        raise ValueError(f"size must be at least 1, got {size}")
