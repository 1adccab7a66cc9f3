"""CIFAR-10 and its kin as their authors publish them: pickled batches, read without running anything in them.

A batch is a dictionary with `data` (n, 3072), a uint8 array whose rows are the red, green and blue planes, and
`labels` (in CIFAR-100 `fine_labels`). The three names that such a pickle calls (numpy's `_reconstruct`, `ndarray` and
`dtype`) are answered by inert recorders; numpy itself is not called, and any other name refuses the archive.

Source: Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009; the data set's page, "Dataset layout".
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from datamodules.sources._errors import SourceRefused
from datamodules.sources._spec import Bytes, DatasetSpec


@dataclass(frozen=True)
class CifarBatches:
    """The authors' layout: training batches of equal size and a test batch in one folder; CIFAR-10's by default.

    Attributes:
        folder: folder of the batches in the archive.
        train: names of the training batches, in order.
        test: name of the test batch.
        labels: key of the labels in a batch.
    """

    folder: str
    train: tuple[str, ...] = tuple(f"data_batch_{i}" for i in range(1, 6))
    test: str = "test_batch"
    labels: str = "labels"

    def members(self, spec: DatasetSpec) -> dict[str, int]:
        """Return the names with the most bytes of each: pixels, and 100 bytes an image for label and name."""
        height, width, channels = spec.image_shape
        sizes = dict.fromkeys(self.train, spec.train // len(self.train)) | {self.test: spec.test}
        most = height * width * channels + 100
        return {f"{self.folder}/{name}": size * most + 4096 for name, size in sizes.items()}

    def decode(self, spec: DatasetSpec, files: Mapping[str, bytes], archive: str) -> dict[str, Bytes]:
        """Return images (n, height, width, 3) and labels (n,); raise SourceRefused for anything but exactly these."""

        def batch(name: str, n: int) -> tuple[Bytes, Bytes]:
            member = f"{self.folder}/{name}"
            return parse_batch(files[member], n, spec, archive, member, self.labels)

        train = [batch(name, spec.train // len(self.train)) for name in self.train]
        test_images, test_labels = batch(self.test, spec.test)
        return {
            "train_images": np.concatenate([images for images, _ in train]),
            "train_labels": np.concatenate([labels for _, labels in train]),
            "test_images": test_images,
            "test_labels": test_labels,
        }


def parse_batch(
    data: bytes, n: int, spec: DatasetSpec, archive: str, member: str, key: str = "labels"
) -> tuple[Bytes, Bytes]:
    """Return images (n, height, width, channels) and labels (n,) of one pickled batch; nothing in it is executed.

    Raises:
        SourceRefused: the pickle calls anything but numpy's array, is cut short, or holds something else.
    """
    try:
        batch = _InertUnpickler(io.BytesIO(data), encoding="bytes").load()
    except Exception as error:  # a hostile pickle may raise whatever it likes
        raise SourceRefused(archive, member, f"not a batch of {spec.name} ({error or type(error).__name__})") from error
    if not isinstance(batch, dict):
        raise SourceRefused(archive, member, "not a dictionary")
    height, width, channels = spec.image_shape
    shape = (n, height * width * channels)
    pixels = _pixels(batch.get(b"data"), shape)
    if pixels is None:
        raise SourceRefused(archive, member, f"'data' is not a uint8 array of shape {shape}")
    labels = batch.get(key.encode())
    if not isinstance(labels, list) or len(labels) != n:
        raise SourceRefused(archive, member, f"'{key}' is not a list of {n:,} labels")
    last = len(spec.classes) - 1
    if not all(type(label) is int and 0 <= label <= last for label in labels):
        raise SourceRefused(archive, member, f"'{key}' has something other than integers from 0 to {last}")
    images = pixels.reshape(n, channels, height, width).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), np.array(labels, dtype=np.uint8)


class _Recorder:
    """Takes any arguments and any state, and does nothing with them."""

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Array(_Recorder):
    pass


class _DType(_Recorder):
    pass


_ANSWERS = {
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("numpy", "ndarray"): _Recorder,
    ("numpy", "dtype"): _DType,
}


class _InertUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ANSWERS[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"its pickle calls {module}.{name}") from None

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("its pickle refers to something outside")


def _pixels(array: Any, shape: tuple[int, int]) -> Bytes | None:
    """Return the pixels of a recorded array: numpy's state is (version, shape, dtype, Fortran order?, bytes)."""
    state = array.state if isinstance(array, _Array) else None
    if not isinstance(state, tuple) or len(state) != 5:
        return None
    _, found, dtype, fortran, raw = state
    is_uint8 = isinstance(dtype, _DType) and dtype.arguments[:1] in ((b"u1",), ("u1",))
    if found != shape or not is_uint8 or not isinstance(raw, bytes) or len(raw) != shape[0] * shape[1]:
        return None
    return np.frombuffer(raw, dtype=np.uint8).reshape(shape, order="F" if fortran else "C")
