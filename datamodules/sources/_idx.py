"""The idx format of MNIST and Fashion-MNIST: a magic number, the sizes as big-endian 32-bit integers, then bytes.

Source: LeCun, Cortes and Burges, The MNIST database of handwritten digits, "File formats".
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from datamodules.sources._archives import gunzip
from datamodules.sources._errors import SourceRefused
from datamodules.sources._spec import Bytes, DatasetSpec

_FILES = {
    "train_images": "train-images-idx3-ubyte",
    "train_labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}
_UBYTE = 0x08


@dataclass(frozen=True)
class IdxLayout:
    """The four idx files in one folder, plain or each gzipped; grey images, stored as (n, height, width)."""

    folder: str
    gzipped: bool

    def members(self, spec: DatasetSpec) -> dict[str, int]:
        """Return the four names with the most bytes of each: generous, as `decode` checks the length to the byte."""
        return {self._member(name): 2 * _size(_stored_shape(spec, name)) + 1024 for name in _FILES}

    def decode(self, spec: DatasetSpec, files: Mapping[str, bytes], archive: str) -> dict[str, Bytes]:
        """Return images (n, height, width, 1) and labels (n,); raise SourceRefused for anything but exactly these."""
        arrays = {}
        for name in _FILES:
            member, shape = self._member(name), _stored_shape(spec, name)
            data = files[member]
            if self.gzipped:
                data = gunzip(data, _size(shape), archive, member)
            arrays[name] = parse_idx(data, shape, archive, member).reshape(spec.shape(name))
        return arrays

    def _member(self, name: str) -> str:
        file = _FILES[name] + (".gz" if self.gzipped else "")
        return f"{self.folder}/{file}" if self.folder else file


def parse_idx(data: bytes, shape: tuple[int, ...], archive: str, member: str) -> Bytes:
    """Return the uint8 array of `shape` that `data` holds, a read-only view of `data`.

    Raises:
        SourceRefused: the magic number, the sizes or the length are not those of such an array.
    """
    header = 4 + 4 * len(shape)
    magic = bytes((0, 0, _UBYTE, len(shape)))
    if data[:4] != magic:
        raise SourceRefused(archive, member, f"magic number {data[:4].hex()!r} instead of {magic.hex()!r}")
    if len(data) < header:
        raise SourceRefused(archive, member, f"cut short: {len(data)} bytes, less than the header")
    found = struct.unpack(f">{len(shape)}I", data[4:header])
    if found != shape:
        raise SourceRefused(archive, member, f"sizes {found} instead of {shape}")
    if len(data) != _size(shape):
        raise SourceRefused(archive, member, f"{len(data):,} bytes instead of {_size(shape):,}")
    return np.frombuffer(data, dtype=np.uint8, offset=header).reshape(shape)


def _stored_shape(spec: DatasetSpec, name: str) -> tuple[int, ...]:
    return spec.shape(name)[:3]  # without the single channel


def _size(shape: tuple[int, ...]) -> int:
    size = 4 + 4 * len(shape)
    pixels = 1
    for n in shape:
        pixels *= n
    return size + pixels
