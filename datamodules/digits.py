"""Handwritten digits, 8 x 8 grey, 1,198 to train and 599 to test; inside scikit-learn's wheel, no download."""

import numpy as np

from datamodules.image_datamodule import ImageDataModule
from datamodules.sources import load_digits_arrays


class Digits(ImageDataModule):
    """scikit-learn's digits: the default dataset, real images without a network."""

    dataset = "Digits"
    native_size, native_channels = 8, 1
    mean, std = (0.3051,), (0.3757,)
    classes = tuple("0123456789")

    def load(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """The two thirds for training and the held-out third."""
        arrays = load_digits_arrays()
        return arrays.train_images, arrays.train_labels, arrays.test_images, arrays.test_labels
