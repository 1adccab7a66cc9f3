"""Images and labels in an .npz file, checked by the headers of its arrays before they are read."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import NoReturn

import numpy as np

from datamodules.sources._errors import plain

PARTS = ("train", "val", "test")
_UNREADABLE = (OSError, ValueError, EOFError, SyntaxError, RuntimeError, zipfile.BadZipFile, zlib.error)


class NpzFile:
    """An .npz file with `x_train`, `y_train`, and others by the same pattern. Object arrays are never unpickled.

    Args:
        file: path of the file.

    Raises:
        ValueError: the file is not such a file; names the array and the remedy.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._headers: dict[str, tuple[tuple[int, ...], np.dtype]] = {}
        if not file.is_file():
            what = "is a folder" if file.is_dir() else f"is not there (looked for from {Path.cwd()})"
            raise ValueError(f"file: {file} {what}: give an .npz file")
        try:
            with zipfile.ZipFile(file) as archive:
                infos = {one.filename.removesuffix(".npy"): one for one in archive.infolist()}
                self.content = ",".join(f"{name}:{one.CRC:08x}" for name, one in sorted(infos.items()))
                for name, info in infos.items():
                    self._headers[name] = _header(archive, info)
        except _UNREADABLE as error:
            raise ValueError(
                f"file: {file} is no .npz file of arrays ({plain(str(error), 80)}): write it by numpy.savez"
            ) from error
        for part in PARTS:
            self._check(part)
        self._check_labels()

    def __contains__(self, name: str) -> bool:
        """Whether there is an array of that name."""
        return name in self._headers

    def images_shape(self) -> tuple[int, int, int, int]:
        """Shape of the training images, (n, side, side, channels)."""
        shape = self._headers["x_train"][0]
        return (*shape[:3], shape[3] if len(shape) == 4 else 1)  # type: ignore[return-value]

    def images(self, part: str) -> np.ndarray:
        """Images of `train`, `val` or `test`, uint8 (n, side, side, channels)."""
        images = self._read(f"x_{part}")
        return images[..., np.newaxis] if images.ndim == 3 else images

    def labels(self, part: str) -> np.ndarray:
        """Labels of a part, int64 (n,)."""
        return self._read(f"y_{part}").reshape(-1).astype(np.int64)

    def classes(self) -> tuple[str, ...]:
        """Names of the classes: the array `classes`, else the labels."""
        count = int(self.labels("train").max()) + 1
        if "classes" not in self:
            return tuple(map(str, range(count)))
        shape, kind = self._headers["classes"]
        if kind.kind != "U" or shape != (count,):
            self._refuse("classes", f"is {kind} {shape}", f"give {count} texts, a name for each label")
        return tuple(plain(str(name)) for name in self._read("classes"))

    def _check(self, part: str) -> None:
        """Refuse arrays of a part that are missing, or are not images and labels, by their headers alone."""
        x, y = f"x_{part}", f"y_{part}"
        if x not in self and y not in self and part != "train":
            return
        for name, other in ((x, y), (y, x)):
            if name not in self:
                there = other if other in self else ", ".join(self._headers) or "no array"
                self._refuse(name, f"is missing, and the file has {there}", "add it")
        for name in (x, y):
            if self._headers[name][1].hasobject:
                self._refuse(name, "holds Python objects, which are never unpickled", "save it as numbers")
        (shape, kind), (labels_shape, labels_kind) = self._headers[x], self._headers[y]
        if kind != np.uint8:
            self._refuse(x, f"is {kind}", "images are uint8: (255 * x).round().astype('uint8') where x goes to 1")
        channels = shape[3] if len(shape) == 4 else 1
        if len(shape) not in (3, 4) or shape[1] != shape[2] or channels not in (1, 3) or 0 in shape:
            self._refuse(x, f"has shape {shape}", "images are (n, side, side), or (n, side, side, 1 or 3)")
        if labels_kind.kind not in "iu":
            self._refuse(y, f"is {labels_kind}", "labels are whole numbers: y.astype('int64')")
        if labels_shape not in ((shape[0],), (shape[0], 1)):
            self._refuse(y, f"has shape {labels_shape} for {shape[0]:,} images", f"one label an image is ({shape[0]},)")
        trained = self._headers["x_train"][0][1:]
        if shape[1:] != trained:
            self._refuse(x, f"has images of {shape[1:]}, and x_train of {trained}", "make them alike")

    def _check_labels(self) -> None:
        labels = self.labels("train")
        found = np.unique(labels)
        if found[0] != 0 or found[-1] != len(found) - 1 or len(found) < 2:
            told = f"has {len(found)} different labels from {found[0]} to {found[-1]}"
            remedy = "count from 0 without gaps, two classes or more, as numpy.unique(y, return_inverse=True)[1] does"
            self._refuse("y_train", told, remedy)
        for part in PARTS[1:]:
            if f"y_{part}" in self and not np.isin(others := self.labels(part), found).all():
                stranger = others[~np.isin(others, found)][0]
                told = f"has label {stranger}, and y_train 0 to {found[-1]}"
                self._refuse(f"y_{part}", told, "mend it, or leave out those images")

    def _read(self, name: str) -> np.ndarray:
        try:
            with np.load(self.file, allow_pickle=False) as arrays:
                array: np.ndarray = arrays[name]
                return array
        except _UNREADABLE as error:
            self._refuse(name, f"cannot be read ({plain(str(error), 80)})", "write the file anew")

    def _refuse(self, name: str, what: str, remedy: str) -> NoReturn:
        raise ValueError(f"file: {self.file}: {name} {what}: {remedy}")


def _header(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> tuple[tuple[int, ...], np.dtype]:
    with archive.open(info) as stream:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, kind = read(stream)
        return shape, kind
