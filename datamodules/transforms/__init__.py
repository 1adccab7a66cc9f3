"""Transforms of whole batches of images, on the device; each sample has its own draw, with no Python loop over samples.

`Pipeline` runs a list of them. A transform is a pure function on tensors, and a thin class that a config names.
"""

from datamodules.transforms._copies import Copies
from datamodules.transforms._cutmix import CutMix, cutmix
from datamodules.transforms._fixed import GreyToRGB, Normalize, Pad, Resize, grey_to_rgb, normalize, pad, resize
from datamodules.transforms._mixup import MixUp, mixup
from datamodules.transforms._pipeline import MOST_PIXELS, BatchTransform, Pipeline, RowTransform
from datamodules.transforms._random import (
    Cutout,
    RandomCrop,
    RandomHorizontalFlip,
    cutout,
    horizontal_flip,
    random_crop,
)

__all__ = [
    "MOST_PIXELS",
    "BatchTransform",
    "Copies",
    "CutMix",
    "Cutout",
    "GreyToRGB",
    "MixUp",
    "Normalize",
    "Pad",
    "Pipeline",
    "RandomCrop",
    "RandomHorizontalFlip",
    "Resize",
    "RowTransform",
    "cutmix",
    "cutout",
    "grey_to_rgb",
    "horizontal_flip",
    "mixup",
    "normalize",
    "pad",
    "random_crop",
    "resize",
]
