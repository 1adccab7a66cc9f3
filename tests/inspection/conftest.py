"""What tests of the gradient check share: one sample's loss under any model."""

import inspect
from typing import Any

import torch
from torch.nn import functional as F

from inspection.gradients.sample_loss import SampleLoss
from lightning_modules import ImageClassifier

DIGITS = {"in_channels": 1, "image_size": 8}


def sample_of(model: type[ImageClassifier], options: dict[str, Any]) -> SampleLoss:
    torch.manual_seed(1)
    defaults = {name: p.default for name, p in inspect.signature(model).parameters.items()} | options
    side = defaults["image_size"]
    images = torch.randn(1, defaults["in_channels"], side, side)
    return SampleLoss(model(**options), images, torch.tensor([3]), F.cross_entropy)
