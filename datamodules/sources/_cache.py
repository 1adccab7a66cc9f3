"""One dataset's folder in the cache: four .npy files and a manifest, written whole or not at all.

In the cache directory, `MNIST/` holds train_images.npy ... and manifest.json: complete, and never changed in place;
`.partial-MNIST-*` is a fetch under way, or one that was killed, which the next start clears away; `.lock-MNIST` is held
by the process that fetches.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from datamodules.sources._errors import DamagedCache
from datamodules.sources._spec import ARRAY_NAMES, Arrays, Bytes, DatasetSpec, sha256
from records.files import written_whole

MANIFEST = "manifest.json"
_FORMAT = 1
_SAMPLES = 16
_SAMPLE_BYTES = 4096


class FileCheck(NamedTuple):
    """Result of `verify` for one file."""

    file: Path
    ok: bool
    message: str


def default_cache_dir() -> Path:
    """Return the cache directory: $CADENCE_DATA, else $XDG_CACHE_HOME/cadence/data, else ~/.cache/cadence/data."""
    if chosen := os.environ.get("CADENCE_DATA"):
        return Path(chosen).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache").absolute() / "cadence" / "data"


def write_folder(spec: DatasetSpec, arrays: Mapping[str, Bytes], folder: Path) -> None:
    """Write verified `arrays` and their manifest into the new `folder`, down to the disk."""
    folder.mkdir()
    entries = {}
    for name in ARRAY_NAMES:
        file = folder / f"{name}.npy"
        with written_whole(file, durable=True) as out:
            np.lib.format.write_array(out, np.ascontiguousarray(arrays[name]), allow_pickle=False)
        entries[name] = entry_of(file, spec.sha256[name])
    manifest = {"format": _FORMAT, "dataset": spec.name, "files": entries}
    with written_whole(folder / MANIFEST, durable=True) as out:
        out.write(json.dumps(manifest, indent=1).encode())
    sync_folder(folder)


def entry_of(file: Path, sha256: str) -> dict[str, Any]:
    """What a manifest says of an array's file: the SHA-256 of the array, and what `mapped` looks at."""
    size = file.stat().st_size
    return {"sha256": sha256, "size": size, "samples": _sampled_hash(file, size)}


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` reach the disk, where the system can."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def map_folder(spec: DatasetSpec, folder: Path) -> Arrays:
    """Return the arrays of a complete `folder`, memory-mapped read-only, after a check that takes milliseconds.

    Caught: a file that is missing, cut short, of another type, shape or size, or of other content in any of 16 places
    of 4 KiB spread over it (files up to 64 KiB: anywhere); a manifest that is missing, unreadable or another dataset's.
    Not caught: a change of a few bytes between those places; `verify` reads everything and catches it.

    Raises:
        DamagedCache: naming the file and what is wrong with it.
    """
    entries = _read_manifest(spec, folder)
    return Arrays(**{name: _map_file(spec, name, folder, entries[name]) for name in ARRAY_NAMES})


def verify_folder(spec: DatasetSpec, folder: Path) -> list[FileCheck]:
    """Check every byte in `folder` against the dataset's SHA-256; one entry a file, the manifest first."""
    if not os.path.lexists(folder):
        return [FileCheck(folder, False, f"not in the cache; type `cadence data fetch {spec.name}`")]
    try:
        entries: Mapping[str, Any] | None = _read_manifest(spec, folder)
        checks = [FileCheck(folder / MANIFEST, True, "ok")]
    except DamagedCache as error:
        entries, checks = None, [FileCheck(folder / MANIFEST, False, error.what)]
    for name in ARRAY_NAMES:
        file = folder / f"{name}.npy"
        try:
            array = _map_file(spec, name, folder, entries[name] if entries else None)
        except DamagedCache as error:
            checks.append(FileCheck(file, False, error.what))
            continue
        found = sha256(array)
        ok = found == spec.sha256[name]
        message = "ok" if ok else f"SHA-256 {found[:12]}... instead of {spec.sha256[name][:12]}..."
        checks.append(FileCheck(file, ok, message))
    return checks


def _read_manifest(spec: DatasetSpec, folder: Path) -> Mapping[str, Any]:
    file = folder / MANIFEST
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise DamagedCache(spec.name, file, error.strerror or str(error)) from error
    except (ValueError, RecursionError) as error:
        raise DamagedCache(spec.name, file, f"not JSON ({error})") from error
    try:
        if (manifest["format"], manifest["dataset"]) != (_FORMAT, spec.name):
            raise DamagedCache(spec.name, file, f"not a manifest of {spec.name} in format {_FORMAT}")
        entries: dict[str, Any] = {name: dict(manifest["files"][name]) for name in ARRAY_NAMES}
        if any(entries[name]["sha256"] != spec.sha256[name] for name in ARRAY_NAMES):
            raise DamagedCache(spec.name, file, "written for other arrays than this version of cadence knows")
        if any(not {"size", "samples"} <= entries[name].keys() for name in ARRAY_NAMES):
            raise KeyError("size")
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedCache(spec.name, file, "not a manifest of a dataset") from error
    return entries


def _map_file(spec: DatasetSpec, name: str, folder: Path, entry: Mapping[str, Any] | None) -> Bytes:
    """Map one file after the cheap check; without the manifest's `entry`, after the check of its header alone."""
    file = folder / f"{name}.npy"
    array = mapped(spec.name, file, entry)
    if array.dtype != np.uint8 or array.shape != spec.shape(name):
        raise DamagedCache(spec.name, file, f"not a uint8 array of shape {spec.shape(name)}")
    return array


def mapped(dataset: str, file: Path, entry: Mapping[str, Any] | None) -> Bytes:
    """The array of a file, memory-mapped read-only, after the check that takes milliseconds.

    Args:
        dataset: name in messages.
        file: an .npy file.
        entry: what `entry_of` said when it was written; None for no look at its content.

    Raises:
        DamagedCache: naming the file and what is wrong with it.
    """
    try:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode):
            raise DamagedCache(dataset, file, "not a file")
        if entry and status.st_size != entry["size"]:
            raise DamagedCache(dataset, file, f"{status.st_size:,} bytes instead of {entry['size']}")
        if entry and _sampled_hash(file, status.st_size) != entry["samples"]:
            raise DamagedCache(dataset, file, "its content is not what was written")
        return np.lib.format.open_memmap(file, mode="r")  # never unpickles
    except OSError as error:
        raise DamagedCache(dataset, file, error.strerror or str(error)) from error
    except (ValueError, EOFError, SyntaxError) as error:
        raise DamagedCache(dataset, file, f"not an .npy file of bytes ({error})".splitlines()[0]) from error


def _sampled_hash(file: Path, size: int) -> str:
    """Return the SHA-256 of 16 blocks of 4 KiB, the first and the last among them, or of all of a small file."""
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        if size <= _SAMPLES * _SAMPLE_BYTES:
            digest.update(stream.read())
        else:
            for place in range(_SAMPLES):
                stream.seek((size - _SAMPLE_BYTES) * place // (_SAMPLES - 1))
                digest.update(stream.read(_SAMPLE_BYTES))
    return digest.hexdigest()
