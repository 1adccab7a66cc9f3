"""Datasets that come from a source outside: fetched once, verified, and mapped in from the cache."""

import numpy as np

from datamodules.image_datamodule import ImageDataModule
from datamodules.sources import fetch, load_arrays, terminal_progress


class FetchedDataModule(ImageDataModule):
    """An `ImageDataModule` whose arrays `datamodules.sources` knows by the name in `dataset`."""

    def prepare_data(self) -> None:
        """Fetch what the cache lacks, with a progress bar. Lightning calls this on rank 0 alone."""
        with terminal_progress() as progress:
            fetch(self.dataset, progress=progress)

    def load(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """The arrays, mapped from the cache."""
        arrays = load_arrays(self.dataset)
        return arrays.train_images, arrays.train_labels, arrays.test_images, arrays.test_labels
