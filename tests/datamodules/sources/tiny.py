"""A dataset of thirty 4 x 4 images, with its archives, its fake clients, and processes that fetch it."""

import gzip
import io
import json
import os
import signal
import sys
import tarfile
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

import cli
import datamodules
from datamodules.sources import fetch, load_arrays, verify
from datamodules.sources._idx import IdxLayout
from datamodules.sources._npm import NpmPackage
from datamodules.sources._spec import Bytes, DatasetSpec, Source, sha256

ROOT = Path(__file__).parents[3]

_draws = np.random.Generator(np.random.PCG64(0))
ARRAYS: dict[str, Bytes] = {
    "train_images": _draws.integers(0, 256, (20, 4, 4, 1), dtype=np.uint8),
    "train_labels": _draws.integers(0, 10, 20, dtype=np.uint8),
    "test_images": _draws.integers(0, 256, (10, 4, 4, 1), dtype=np.uint8),
    "test_labels": _draws.integers(0, 10, 10, dtype=np.uint8),
}
HASHES = {name: sha256(array) for name, array in ARRAYS.items()}
NPM = NpmPackage("tiny-data", "1.0.0", 1000, IdxLayout("package/data", gzipped=False))
IDX_NAMES = {
    "train_images": "train-images-idx3-ubyte",
    "train_labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}


def spec(*sources: Source, **changes: Any) -> DatasetSpec:
    fields: dict[str, Any] = {"name": "Tiny", "image_shape": (4, 4, 1), "train": 20, "test": 10}
    fields |= {"classes": tuple("0123456789"), "mean": (0.5,), "std": (0.3,), "sha256": HASHES}
    return DatasetSpec(**(fields | {"sources": sources or (NPM,)} | changes))


def idx(array: Bytes) -> bytes:
    """Write the array as idx; the single channel of images is left out, as in the originals."""
    stored = array.reshape(array.shape[:3])
    header = bytes((0, 0, 8, stored.ndim)) + b"".join(n.to_bytes(4, "big") for n in stored.shape)
    return header + stored.tobytes()


def idx_files(
    folder: str = "package/data", gzipped: bool = False, arrays: dict[str, Bytes] = ARRAYS
) -> dict[str, bytes]:
    files = {}
    for name, array in arrays.items():
        data = idx(array)
        files[f"{folder}/{IDX_NAMES[name]}{'.gz' if gzipped else ''}"] = gzip.compress(data) if gzipped else data
    return files


def tar(files: Iterable[tuple[str | tarfile.TarInfo, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files:
            member = tarfile.TarInfo(name) if isinstance(name, str) else name
            if member.isreg():
                member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def tgz(files: dict[str, bytes] | Iterable[tuple[str | tarfile.TarInfo, bytes]]) -> bytes:
    return gzip.compress(tar(files.items() if isinstance(files, dict) else files))


def program(folder: Path, name: str, body: str) -> None:
    """Write a fake client as a shell script; $dest is npm's pack destination."""
    folder.mkdir(exist_ok=True)
    script = 'for a in "$@"; do case "$a" in --pack-destination=*) dest="${a#*=}";; esac; done\n'
    (folder / name).write_text(f"#!/bin/sh\n{script}{body}\n")
    (folder / name).chmod(0o755)


def partials(cache: Path) -> list[Path]:
    return list(cache.glob(".partial-*"))


def _killed_at(point: int, cache: Path, force: bool) -> bool:
    """Fetch in a fork that kills itself just before its `point`-th fsync or rename; say whether it came that far."""
    child = os.fork()
    if child == 0:
        seen = 0

        def counted(function: Any) -> Any:
            def call(*arguments: Any) -> Any:
                nonlocal seen
                seen += 1
                if seen > point:
                    os.kill(os.getpid(), signal.SIGKILL)
                return function(*arguments)

            return call

        os.fsync, Path.rename = counted(os.fsync), counted(Path.rename)  # type: ignore[method-assign]
        fetch("Tiny", force=force, cache_dir=cache)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def main(action: str, folder: str) -> None:
    """Fetch the tiny dataset in this process (by `cadence data fetch`: `command`), or be killed at every step of it."""
    cache = Path(folder)
    sys.modules["home_of_tiny"] = SimpleNamespace(SPEC=spec())  # type: ignore[assignment]
    datamodules.FETCHED["Tiny"] = "home_of_tiny"
    if action == "command":
        sys.exit(cli.main(["data", "fetch", "Tiny"]))
    if action == "fetch":
        fetch("Tiny", cache_dir=cache)
        assert load_arrays("Tiny", cache_dir=cache).train_images.shape == (20, 4, 4, 1)
        return
    outcomes = []  # one for each point at which the fetch was killed
    while _killed_at(len(outcomes), cache, force=action == "kill-force"):
        checks = verify("Tiny", cache_dir=cache)
        good = all(check.ok for check in checks)
        outcomes.append("good" if good else "absent" if not (cache / "Tiny").exists() else "damaged")
        fetch("Tiny", force=good, cache_dir=cache)  # forced: a good cache alone would end it before it clears away
        assert not partials(cache) and all(check.ok for check in verify("Tiny", cache_dir=cache))
        if action == "kill":
            for file in (cache / "Tiny").iterdir():
                file.unlink()
            (cache / "Tiny").rmdir()
    print(json.dumps(outcomes))
