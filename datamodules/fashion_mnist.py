"""Fashion-MNIST (Xiao, Rasul, Vollgraf, arXiv 1708.07747)."""

from datamodules.fetched import FetchedDataModule


class FashionMNIST(FetchedDataModule):
    """Articles of clothing, 28 x 28 grey, 60,000 to train and 10,000 to test."""

    dataset = "FashionMNIST"
    native_size, native_channels = 28, 1
    mean, std = (0.2860,), (0.3530,)
    classes = (
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    )
