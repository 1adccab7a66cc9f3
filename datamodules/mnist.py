"""MNIST (LeCun, Cortes, Burges)."""

from datamodules.fetched import FetchedDataModule


class MNIST(FetchedDataModule):
    """Handwritten digits, 28 x 28 grey, 60,000 to train and 10,000 to test."""

    dataset = "MNIST"
    native_size, native_channels = 28, 1
    mean, std = (0.1307,), (0.3081,)
    classes = tuple("0123456789")
