"""MixUp: each image is a weighted mean of itself and a partner (Zhang et al. 2017)."""

from torch import Tensor

from datamodules.transforms._layout import from_rows, to_rows
from datamodules.transforms._mixing import Mixing
from timeline.draws import to_device


def mixup(images: Tensor, others: Tensor, kept: Tensor) -> Tensor:
    """kept * image + (1 - kept) * other, rounded after each product and after the sum, on every device.

    Args:
        images: float (batch, channels, height, width), normalised.
        others: partners, of the same shape and type.
        kept: share of each image, float32 (batch,), in [0, 1].

    Returns:
        Mixed images of the same shape and type, channels-last.

    Raises:
        ValueError: the images hold integers, so are not normalised yet.
    """
    if not images.is_floating_point():
        raise ValueError("MixUp mixes normalised images, got integers: place it after Normalize")
    pixels, share = to_rows(images), kept.to(images.dtype)[:, None]
    mixed = (pixels.flatten(1) * share).add_(to_rows(others).flatten(1) * (1 - share))
    return from_rows(mixed.view(pixels.shape))


class MixUp(Mixing):
    """Mix each image and its label with a partner's: lambda x_i + (1 - lambda) x_j, lambda ~ Beta(alpha, alpha).

    Zhang et al. 2017 (arXiv 1710.09412), with a lambda for each image where the paper draws one for each batch.
    Belongs after `Normalize`. Training accuracy counts an image as correct by its heaviest class.

    Args:
        alpha: both parameters of lambda's Beta distribution: near 0 hardly mixes, 1 is uniform. The paper takes 1 for
            CIFAR-10 and 0.1 to 0.4 for ImageNet.
        p: probability of mixing an image; the others stay as they are.
    """

    def __init__(self, alpha: float = 0.2, p: float = 1.0) -> None:
        super().__init__(alpha, p)

    def mix(self, images: Tensor, others: Tensor, ratios: Tensor, words: Tensor) -> tuple[Tensor, Tensor]:
        """Weighted means; the whole ratio is kept."""
        return mixup(images, others, to_device(ratios.float().numpy(), images.device)), ratios
