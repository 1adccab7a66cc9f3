"""Datasets, one a file, over one `ImageDataModule`.

A fetched dataset's file holds its `SPEC`, and its datamodule is made from that at first use; any other dataset's file
holds a class. Nothing heavy is imported before a name is asked for, so `cadence list` and `cadence data` start fast.
"""

from importlib import import_module
from typing import Any

FETCHED = {  # name of each fetched dataset: the module that holds its SPEC
    "MNIST": "datamodules.mnist",
    "FashionMNIST": "datamodules.fashion_mnist",
    "CIFAR10": "datamodules.cifar10",
}
OWN = {"ImageFolder": "datamodules.image_folder", "NumpyImages": "datamodules.numpy_images"}  # the user's images
DATASETS = {"Digits": "datamodules.digits", **FETCHED, **OWN}
_CLASSES = {
    "Augment": "datamodules.augment",
    "Digits": "datamodules.digits",
    "ImageDataModule": "datamodules.image_datamodule",
    "StreamBatchSampler": "datamodules.stream_batch_sampler",
    **OWN,
}

__all__ = sorted({*DATASETS, *_CLASSES})


def __getattr__(name: str) -> Any:
    if name in FETCHED:
        from datamodules.fetched import datamodule_of

        return datamodule_of(import_module(FETCHED[name]))
    if name in _CLASSES:
        return getattr(import_module(_CLASSES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; there are {', '.join(__all__)}")
