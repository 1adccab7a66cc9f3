"""Your own images as arrays in an .npz file: x_train, y_train and, if you like, x_val, y_val, x_test, y_test."""

from pathlib import Path
from typing import Any

import numpy as np

from datamodules.own_images import OwnImages
from datamodules.sources import NpzFile, add_to_histogram, histogram_moments
from records.files import expanded


class NumpyImages(OwnImages):
    """Arrays named as in keras' mnist.npz: images `x_...`, uint8 (n, side, side[, 1 or 3]), and labels.

    Labels `y_...` are whole numbers (n,) or (n, 1), from 0 on, each of which has a training image. `x_val` and `x_test`
    may be missing: then those images are drawn from the training images by `val_fraction` and `test_fraction`.
    `classes`, texts (classes,), may name the classes. The file is held in memory; nothing in it is unpickled.

    Args:
        file: the .npz file.
        **kwargs: arguments of `OwnImages`.

    Raises:
        ValueError: the file is not such a file; names the array and what is wrong with it.
    """

    def __init__(self, file: str, **kwargs: Any) -> None:
        self.arrays = NpzFile(Path(expanded(file)))
        shape = self.arrays.images_shape()
        self.native_size, self.native_channels = shape[1], shape[3]
        self.classes = self.arrays.classes()
        self.own_val, self.own_test = "x_val" in self.arrays, "x_test" in self.arrays
        super().__init__(**kwargs)

    def load(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """The arrays, in memory; the training arrays end with `x_val`."""
        images, labels = self._part("train")
        if self.own_test:
            test_images, test_labels = self._part("test")
        else:
            kept, test = self.drawn_test(labels)
            test_images, test_labels = images[test], labels[test]
            images, labels = images[kept], labels[kept]
        histogram = np.zeros((self.native_channels, 256), dtype=np.int64)
        add_to_histogram(histogram, images)
        if self.own_val:
            val_images, val_labels = self._part("val")
            self.held = len(val_labels)
            images, labels = np.concatenate([images, val_images]), np.concatenate([labels, val_labels])
        self.measured(*histogram_moments(histogram), self.arrays.content)
        return images, labels, test_images, test_labels

    def _part(self, part: str) -> tuple[np.ndarray, np.ndarray]:
        """Images and labels of `train`, `val` or `test`."""
        try:
            return self.arrays.images(part), self.arrays.labels(part)
        except ValueError as error:  # which a constructor's caller would have given the field's name
            raise ValueError(f"data.{error}") from error
