"""Random crop, random flip and cutout: for each a pure function of images and integers, and a class for configs."""

from functools import lru_cache
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from checks.arguments import require_at_least, require_not_negative, require_within
from datamodules.transforms._layout import INTEGER_OF_SIZE, from_rows, to_rows
from datamodules.transforms._pipeline import RowTransform
from timeline.draws import below, chance


def random_crop(images: Tensor, offsets: Tensor, padding: int, fill: int = 0) -> Tensor:
    """Pad all four sides, and cut a window of the original size out of each image.

    Args:
        images: (batch, channels, height, width).
        offsets: int64 (batch, 2): row and column of each window in the padded image, in [0, 2 * padding].
        padding: pixels on each side.
        fill: value of the padding.

    Returns:
        images of the same shape and type, channels-last.
    """
    pixels = to_rows(images)
    batch, height, width, channels = pixels.shape
    padded = F.pad(pixels, (0, 0, padding, padding, padding, padding), value=fill)
    tall, wide = padded.shape[1:3]
    # each window is a view of the padded images' memory, numbered by its first pixel, so one gather copies them all
    first_pixels = max(batch * tall * wide - (height - 1) * wide - width + 1, 0)
    windows = padded.as_strided((first_pixels, height, width * channels), (channels, wide * channels, 1))
    corners = torch.arange(0, batch * tall * wide, tall * wide, device=images.device)
    corners += offsets[:, 0] * wide + offsets[:, 1]
    return from_rows(windows.index_select(0, corners).view(batch, height, width, channels))


def horizontal_flip(images: Tensor, flipped: Tensor) -> Tensor:
    """Mirror left and right where `flipped` (bool, (batch,)) says so; images (batch, channels, height, width)."""
    pixels = to_rows(images)
    batch = len(pixels)
    both = torch.cat((pixels, _mirror(pixels)))  # with a gather, twelve times as fast as torch.where on bytes
    return from_rows(both.index_select(0, torch.arange(batch, device=images.device) + batch * flipped))


def cutout(images: Tensor, centres: Tensor, size: int) -> Tensor:
    """Zero one square in each image (DeVries and Taylor 2017, arXiv 1708.04552), clipped at the border.

    Rows centre - size // 2 up to, not including, centre - size // 2 + size, and columns likewise.

    Args:
        images: float (batch, channels, height, width), normalised, so that zero is the mean.
        centres: int64 (batch, 2): row and column of each centre, within the image.
        size: side of the square in pixels.

    Raises:
        ValueError: the images hold integers, so are not normalised yet.
    """
    if not images.is_floating_point():
        raise ValueError("Cutout zeroes normalised images, got integers: place it after Normalize")
    pixels = to_rows(images)
    height, width, channels = pixels.shape[1:]
    # bitwise: a product can give -0, and masked_fill takes eight times as long
    bits = INTEGER_OF_SIZE[pixels.element_size()]
    rows = _outside(size, height, 1, bits, images.device).index_select(0, centres[:, 0])
    columns = _outside(size, width, channels, bits, images.device).index_select(0, centres[:, 1])
    kept = rows[:, :, None] | columns[:, None, :]
    kept &= pixels.view(bits).view(kept.shape)
    return from_rows(kept.view(images.dtype).view(pixels.shape))


class RandomCrop(RowTransform):
    """Pad all sides, and crop a random window of the original size: He et al. 2015 (1512.03385), section 4.2.

    Args:
        padding: pixels on each side.
        fill: value of the padding, in [0, 255], before normalisation.
    """

    words_per_row: ClassVar[int] = 2

    def __init__(self, padding: int, fill: int = 0) -> None:
        require_not_negative("4 is usual for 32 x 32 images", padding=padding)
        require_within("[0, 255]", "0 is black", fill=fill)
        self.padding, self.fill = padding, fill

    def apply(self, images: Tensor, words: Tensor) -> Tensor:
        """Row and column offsets, uniform in [0, 2 * padding], from the two words."""
        return random_crop(images, below(words, 2 * self.padding + 1), self.padding, self.fill)

    def shape_after(self, channels: int, side: int) -> tuple[int, int]:
        """As they come in.

        Raises:
            ValueError: the padding is wider than the images.
        """
        if self.padding > side:
            usual = max(side // 8, 1)
            raise ValueError(f"padding must be at most the images' {side} pixels, got {self.padding}: {usual} is usual")
        return channels, side


class RandomHorizontalFlip(RowTransform):
    """Mirror left and right with probability p.

    Args:
        p: probability of the mirror image.
    """

    words_per_row: ClassVar[int] = 1

    def __init__(self, p: float = 0.5) -> None:
        require_within("[0, 1]", "0.5 mirrors every second image", p=p)
        self.p = p

    def apply(self, images: Tensor, words: Tensor) -> Tensor:
        """Mirror where the word falls below p."""
        return horizontal_flip(images, chance(words[:, 0], self.p))


class Cutout(RowTransform):
    """Zero one square with its centre anywhere in the image (DeVries and Taylor 2017). Belongs after `Normalize`.

    An even size hides what the authors' code hides; of an odd one their code hides a pixel less along each axis.

    Args:
        size: side of the square in pixels; 16 for CIFAR-10.
    """

    after_normalize: ClassVar[bool] = True
    words_per_row: ClassVar[int] = 2

    def __init__(self, size: int) -> None:
        require_at_least(1, "16 is usual for 32 x 32 images", size=size)
        self.size = size

    def apply(self, images: Tensor, words: Tensor) -> Tensor:
        """Centre row and column, uniform over the image, from the two words."""
        height, width = images.shape[2:]
        return cutout(images, below(words, _lengths(height, width, images.device)), self.size)

    def shape_after(self, channels: int, side: int) -> tuple[int, int]:
        """As they come in.

        Raises:
            ValueError: the hole can be the whole image.
        """
        if self.size >= side:
            usual = max(side // 2, 1)
            raise ValueError(
                f"size {self.size} can hide a whole image of {side} x {side}: half its side, {usual}, is usual"
            )
        return channels, side


@lru_cache(maxsize=32)
def _lengths(height: int, width: int, device: torch.device) -> Tensor:
    return torch.tensor([height, width], device=device)


@lru_cache(maxsize=32)
def _outside(size: int, length: int, channels: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Row c: all bits set at the positions outside the hole of centre c; (length, length * channels)."""
    position = torch.arange(length, device=device)
    distance = position.repeat_interleave(channels) - (position[:, None] - size // 2)
    return -((distance < 0) | (distance >= size)).to(dtype)


def _mirror(pixels: Tensor) -> Tensor:
    """Pixels (batch, height, width, channels) mirrored left and right."""
    batch, height, width, channels = pixels.shape
    if pixels.dtype != torch.uint8:
        return pixels.flip(2)
    # reverse bytes, ten times as fast as reversing pixels, and then put each pixel's channels back in order
    mirrored = pixels.view(batch * height, width * channels).flip(1).view(batch, height * width * channels)
    for channel in range(channels // 2):
        apart = channels - 1 - 2 * channel
        first, second = mirrored[:, :-apart], mirrored[:, apart:]
        swap = first ^ second
        swap &= _bytes_of_channel(channel, channels, mirrored.shape[1], pixels.device)[:-apart]
        first ^= swap
        second ^= swap
    return mirrored.view(pixels.shape)


@lru_cache(maxsize=32)
def _bytes_of_channel(channel: int, channels: int, length: int, device: torch.device) -> Tensor:
    """255 at every byte of one channel in an image of `length` bytes, 0 elsewhere."""
    return -(torch.arange(length, device=device) % channels == channel).to(torch.uint8)
