"""Datasets, one a file, over one `ImageDataModule`.

Names are looked up at first use: `cadence data` reads `datamodules.sources` without waiting for torch.
"""

from importlib import import_module
from typing import Any

HOMES = {
    "CIFAR10": "datamodules.cifar10",
    "Digits": "datamodules.digits",
    "FashionMNIST": "datamodules.fashion_mnist",
    "ImageDataModule": "datamodules.image_datamodule",
    "MNIST": "datamodules.mnist",
}

__all__ = sorted(HOMES)


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; there are {', '.join(HOMES)}")
    return getattr(import_module(HOMES[name]), name)
