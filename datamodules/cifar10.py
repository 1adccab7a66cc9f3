"""CIFAR-10 (Krizhevsky, 2009)."""

from datamodules.fetched import FetchedDataModule


class CIFAR10(FetchedDataModule):
    """Colour photographs of ten kinds of things, 32 x 32, 50,000 to train and 10,000 to test."""

    dataset = "CIFAR10"
    native_size, native_channels = 32, 3
    mean, std = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
    classes = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
