"""Images of a folder as arrays in the cache: decoded once, by several threads, and verified when they are mapped."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from datamodules.sources._cache import MANIFEST, FileCheck, default_cache_dir, entry_of, mapped, sync_folder
from datamodules.sources._errors import DamagedCache
from datamodules.sources._image_files import Fit, fingerprint, read, refused
from datamodules.sources._placing import made_once, silent
from datamodules.sources._spec import Progress, sha256
from records.files import written_whole

_FORMAT = 1
_AT_ONCE = 64  # images of each thread that are in memory together


@dataclass(frozen=True)
class Images:
    """What is to be cached: files in their order, and what becomes of each.

    Attributes:
        root: folder that they lie in.
        files: the images.
        measured: number of the first files whose pixels give mean and standard deviation.
        side: height and width of an array.
        channels: channels of an array, 1 or 3.
        fit: way of an image to its square.
        drawn: what the order of the files was drawn by; each draw has arrays of its own.
    """

    root: Path
    files: Sequence[Path]
    measured: int
    side: int
    channels: int
    fit: Fit
    drawn: Sequence[float] = ()

    @property
    def options(self) -> list[Any]:
        """What the arrays depend on, beside the files."""
        return [_FORMAT, self.side, self.channels, self.fit, *self.drawn]

    @property
    def folder(self) -> Path:
        """Folder in the cache: another for other options, the same where files have changed."""
        key = hashlib.sha256(json.dumps([str(self.root.resolve()), self.options]).encode()).hexdigest()[:12]
        name = re.sub(r"[^\w.]", "_", self.root.resolve().name)[:40]
        return default_cache_dir() / f"ImageFolder-{name}-{key}"


@dataclass(frozen=True)
class Cached:
    """The arrays, and what is known of them.

    Attributes:
        images: uint8 (n, side, side, channels), memory-mapped, in the order of the files.
        mean: mean of each channel of the measured images, scaled to [0, 1].
        std: standard deviation of each channel of them, scaled to [0, 1].
        sha256: SHA-256 of all pixels.
    """

    images: np.ndarray
    mean: tuple[float, ...]
    std: tuple[float, ...]
    sha256: str


def cached(images: Images, progress: Progress | None = None) -> Cached:
    """The arrays of images, read into the cache where it has none of exactly these files.

    Processes that call this at the same time read once; a killed one leaves the cache as it was.

    Args:
        images: the files and options.
        progress: callback (description, done images, number of images) that reports the reading.

    Raises:
        ImagesRefused: files that are no images, all of which are read first.
        CacheNotWritable: the cache directory cannot be written, or its disk is full.
    """
    found: list[Cached] = []
    key = fingerprint(images.root, images.files, [images.options, images.measured])

    def there() -> bool:
        found[:] = [one for one in (_mapped(images, key),) if one is not None]
        return bool(found)

    report = progress or silent
    made_once(images.folder, there, partial(_write, images, key, report), report, replace=True)
    if not found and not there():
        raise DamagedCache("ImageFolder", images.folder, "not what was just written")
    return found[0]


def verify_images() -> list[FileCheck]:
    """Check every byte of the arrays of all users' folders in the cache; one entry for each folder."""
    checks = []
    for folder in sorted(default_cache_dir().glob("ImageFolder-*")):
        file = folder / "images.npy"
        try:
            entry = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["images"]
            good = sha256(mapped("ImageFolder", file, entry)) == entry["sha256"]
        except (OSError, ValueError, KeyError, TypeError, RecursionError, DamagedCache):
            good = False
        remedy = "ok" if good else "not what was written: delete the folder, and it is made anew"
        checks.append(FileCheck(file, good, remedy))
    return checks


def histogram_moments(histogram: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel, in [0, 1], from counts of values, int64 (channels, 256).

    A channel of one value alone gets 1 as its deviation.
    """
    values, counts = np.arange(256) / 255, histogram.sum(1, keepdims=True)
    shares = histogram / np.maximum(counts, 1)
    mean = shares @ values
    deviation = np.sqrt((shares * (values - mean[:, np.newaxis]) ** 2).sum(1))
    return tuple(mean.tolist()), tuple(np.where(deviation > 0, deviation, 1.0).tolist())


def add_to_histogram(histogram: np.ndarray, images: np.ndarray) -> None:
    """Count the values of images, uint8 (n, height, width, channels), into a histogram, int64 (channels, 256)."""
    for channel, counts in enumerate(histogram):
        counts += np.bincount(images[..., channel].ravel(), minlength=256)


def _mapped(images: Images, key: str) -> Cached | None:
    """The arrays in the cache; None if there are none, others, or damaged ones, which are made anew."""
    folder = images.folder
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if manifest["fingerprint"] != key:
            return None
        array = mapped("ImageFolder", folder / "images.npy", manifest["images"])
        if array.dtype != np.uint8 or array.shape != _shape(images):
            return None
        return Cached(array, tuple(manifest["mean"]), tuple(manifest["std"]), manifest["images"]["sha256"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError, DamagedCache):
        return None


def _write(images: Images, key: str, report: Progress, partial: Path) -> None:
    ready = partial / "ready"
    ready.mkdir()
    digest, histogram = hashlib.sha256(), np.zeros((images.channels, 256), dtype=np.int64)
    file, done = ready / "images.npy", 0
    with written_whole(file, durable=True) as out:
        header = {"descr": "|u1", "fortran_order": False, "shape": _shape(images)}
        np.lib.format.write_array_header_1_0(out, header)
        for chunk in _chunks(images, report):
            add_to_histogram(histogram, chunk[: max(images.measured - done, 0)])
            digest.update(chunk.data)
            out.write(chunk.data)
            done += len(chunk)
    mean, std = histogram_moments(histogram)
    entry = entry_of(file, digest.hexdigest())
    manifest = {"format": _FORMAT, "fingerprint": key, "images": entry, "mean": mean, "std": std}
    with written_whole(ready / MANIFEST, durable=True) as out:
        out.write(json.dumps(manifest, indent=1).encode())
    sync_folder(ready)


def _chunks(images: Images, report: Progress) -> Iterator[np.ndarray]:
    """Arrays of some files at a time, in order; after a damaged file the others are only looked at."""
    one: Callable[[Path], Any] = partial(read, side=images.side, channels=images.channels, fit=images.fit)
    threads = _threads()
    total, size = len(images.files), _AT_ONCE * threads
    damaged: list[tuple[Path, str]] = []
    described = f"reading images of {images.root}"
    report(described, 0, total)
    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, total, size):
            files = images.files[start : start + size]
            results = list(pool.map(one, files))
            damaged += [(file, why) for file, why in zip(files, results, strict=True) if isinstance(why, str)]
            if not damaged:
                yield np.stack(results)
            report(described, start + len(files), total)
    if damaged:
        raise refused(damaged)


def _shape(images: Images) -> tuple[int, int, int, int]:
    return len(images.files), images.side, images.side, images.channels


def _threads() -> int:
    """As many as this process may use cores, up to 16: PIL decodes and resizes without Python's lock."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(available, 16)
