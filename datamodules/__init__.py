"""Datasets, one a file, over one `ImageDataModule`."""

from datamodules.cifar10 import CIFAR10
from datamodules.digits import Digits
from datamodules.fashion_mnist import FashionMNIST
from datamodules.image_datamodule import ImageDataModule
from datamodules.mnist import MNIST

__all__ = ["CIFAR10", "MNIST", "Digits", "FashionMNIST", "ImageDataModule"]
