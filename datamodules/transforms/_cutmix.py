"""CutMix: a box of each image is replaced by the same box of a partner (Yun et al. 2019)."""

from typing import ClassVar

import torch
from torch import Tensor

from datamodules.transforms._layout import INTEGER_OF_SIZE, from_rows, to_rows
from datamodules.transforms._mixing import Mixing
from timeline.draws import below, to_device


def cut_boxes(ratios: Tensor, centres: Tensor, height: int, width: int) -> Tensor:
    """The box to replace in each image: sides floor(side of the image * sqrt(1 - ratio)), clipped at the border.

    As in cutout: rows centre - side // 2 up to, not including, centre - side // 2 + side, and columns likewise.

    Args:
        ratios: share of each image to keep before clipping, float64 (batch,).
        centres: int64 (batch, 2): row and column of each centre, within the image.
        height: height of the images.
        width: width of the images.

    Returns:
        int64 (batch, 2, 2): first and last-plus-one (second axis) row and column (third axis).
    """
    image = torch.tensor([height, width])
    sides = (image * (1 - ratios).sqrt()[:, None]).long()
    first = centres - sides // 2
    return torch.stack((first, first + sides), 1).clamp(min=0).minimum(image)


def cutmix(images: Tensor, others: Tensor, boxes: Tensor) -> Tensor:
    """Each image, with its box taken from its partner.

    Args:
        images: (batch, channels, height, width).
        others: partners, of the same shape and type.
        boxes: int64 (batch, 2, 2), as `cut_boxes` gives them.

    Returns:
        Images of the same shape and type, channels-last.
    """
    pixels, partners = to_rows(images), to_rows(others)
    height, width, channels = pixels.shape[1:]
    bits = INTEGER_OF_SIZE[pixels.element_size()]
    first, stop = boxes[:, 0], boxes[:, 1]
    rows = _within(first[:, 0], stop[:, 0], height, 1, bits)
    columns = _within(first[:, 1], stop[:, 1], width, channels, bits)
    inside = rows[:, :, None] & columns[:, None, :]
    own = pixels.view(bits).view(inside.shape)
    # a ^ ((a ^ b) & inside): half the time of torch.where
    mixed = (own ^ partners.view(bits).view(inside.shape)).bitwise_and_(inside).bitwise_xor_(own)
    return from_rows(mixed.view(images.dtype).view(pixels.shape))


class CutMix(Mixing):
    """Replace a box of each image by the same box of a partner, and mix the labels by area.

    Yun et al. 2019 (arXiv 1905.04899): the box has a share 1 - lambda of the image, lambda ~ Beta(alpha, alpha); its
    centre is uniform over the image, and where it is clipped at the border, the labels are mixed by what is left of it.
    A lambda and a box for each image, where the paper draws one for each batch. Runs after normalisation, though
    before it the result would be the same. Training accuracy counts an image as correct by its heaviest class.

    Args:
        alpha: both parameters of lambda's Beta distribution; 1, the paper's, is uniform.
        p: probability of mixing an image, 0.5 in the paper's runs on CIFAR; the others stay as they are.
    """

    words_per_row: ClassVar[int] = 2

    def __init__(self, alpha: float = 1.0, p: float = 1.0) -> None:
        super().__init__(alpha, p)

    def mix(self, images: Tensor, others: Tensor, ratios: Tensor, words: Tensor) -> tuple[Tensor, Tensor]:
        """Boxes with the centre from the two words; kept is the share outside the clipped box."""
        height, width = images.shape[2:]
        boxes = cut_boxes(ratios, below(words, torch.tensor([height, width])), height, width)
        cut = (boxes[:, 1] - boxes[:, 0]).prod(1)
        return cutmix(images, others, to_device(boxes.numpy(), images.device)), 1 - cut.double() / (height * width)


def _within(first: Tensor, stop: Tensor, length: int, channels: int, bits: torch.dtype) -> Tensor:
    """All bits set at the positions from `first` on, before `stop`, no bit elsewhere: (batch, length * channels)."""
    position = torch.arange(length, device=first.device)
    inside = -((position >= first[:, None]) & (position < stop[:, None])).to(bits)
    return inside if channels == 1 else inside[:, :, None].expand(-1, -1, channels).flatten(1)
