"""Datamodules of fetched datasets: fetched once, verified, and mapped from the cache."""

from functools import cache
from types import ModuleType

import numpy as np

from datamodules.image_datamodule import ImageDataModule
from datamodules.sources import DatasetSpec, fetch, load_arrays, terminal_progress


class FetchedDataModule(ImageDataModule):
    """An `ImageDataModule` whose arrays come from `datamodules.sources`, by the name in `dataset`."""

    def prepare_data(self) -> None:
        """Fetch the files that the cache lacks, with a progress bar. Lightning calls this on rank 0 alone."""
        with terminal_progress() as progress:
            fetch(self.dataset, progress=progress)

    def load(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """The arrays, memory-mapped from the cache."""
        arrays = load_arrays(self.dataset)
        return arrays.train_images, arrays.train_labels, arrays.test_images, arrays.test_labels


@cache  # one class a dataset: pickle looks it up by name, and asks that it be the same object
def datamodule_of(home: ModuleType) -> type[FetchedDataModule]:
    """The datamodule class of a dataset.

    Args:
        home: the dataset's module: its `SPEC` says all, its docstring becomes the class's.
    """
    spec: DatasetSpec = home.SPEC
    content = {
        "__doc__": home.__doc__,
        "__module__": "datamodules",
        "dataset": spec.name,
        "native_size": spec.image_shape[0],
        "native_channels": spec.image_shape[2],
        "mean": spec.mean,
        "std": spec.std,
        "classes": spec.classes,
    }
    return type(spec.name, (FetchedDataModule,), content)
