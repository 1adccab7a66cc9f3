"""Articles of clothing, 28 x 28 grey, 60,000 to train and 10,000 to test.

Source: Xiao, Rasul, Vollgraf, arXiv 1708.07747.
"""

from pathlib import Path

from datamodules.sources import DatasetSpec, DebianPackage, IdxLayout, InstalledFiles, TorchvisionMirrors

SPEC = DatasetSpec(
    name="FashionMNIST",
    image_shape=(28, 28, 1),
    train=60_000,
    test=10_000,
    classes=(
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
    ),
    mean=(0.2860,),
    std=(0.3530,),
    sha256={
        "train_images": "2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012",
        "train_labels": "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7",
        "test_images": "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a",
        "test_labels": "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9",
    },
    sources=(
        TorchvisionMirrors("FashionMNIST", 86_000_000, IdxLayout("FashionMNIST/raw", gzipped=True)),
        InstalledFiles(Path("/usr/share/datasets/fashion-mnist"), IdxLayout("", gzipped=True)),
        DebianPackage("dataset-fashion-mnist", 30_900_652, IdxLayout("usr/share/datasets/fashion-mnist", gzipped=True)),
    ),
)
