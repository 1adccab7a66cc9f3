"""From a name to verified arrays: the cache, else the sources in order, each checked before it is kept."""

from __future__ import annotations

import errno
import logging
import os
import shutil
from pathlib import Path

from datamodules.sources._cache import (
    FileCheck,
    default_cache_dir,
    map_folder,
    verify_folder,
    write_folder,
)
from datamodules.sources._errors import DatasetUnavailable, SourceRefused, SourceUnreachable
from datamodules.sources._placing import clear_partials, made_once, silent
from datamodules.sources._registry import find
from datamodules.sources._spec import Arrays, Bytes, DatasetSpec, Progress

_log = logging.getLogger(__name__)
_ROOM = 1 << 16  # bytes; with less, a disk is full


def load_arrays(name: str, cache_dir: Path | None = None, progress: Progress | None = None) -> Arrays:
    """Return the arrays of dataset `name`, memory-mapped from the cache; fetch them if they are not in it.

    From the cache this reads a few hundred kilobytes; `map_folder` says what its check catches.

    Args:
        name: name of a dataset in `datamodules.FETCHED`, in any case.
        cache_dir: cache directory; that of `default_cache_dir` by default.
        progress: callback (description, done bytes, total bytes or None) that reports a fetch.

    Raises:
        ValueError: no such dataset.
        DamagedCache: the cached files are not those that were written.
        DatasetUnavailable: not in the cache, and no source gave it.
        CacheNotWritable: the cache directory cannot be written.
    """
    spec = find(name)
    folder = _root(cache_dir) / spec.name
    clear_partials(folder.parent)
    if not os.path.lexists(folder):
        fetch(name, progress=progress, cache_dir=cache_dir)
    return map_folder(spec, folder)


def fetch(name: str, force: bool = False, progress: Progress | None = None, cache_dir: Path | None = None) -> Path:
    """Bring dataset `name` into the cache, if it is not there, and return its folder.

    With `force` it is always fetched and replaces the cached copy, which stays until the new one is complete.
    Processes that call this at the same time fetch once; a killed one leaves the cache as it was.

    Raises:
        DatasetUnavailable: no source gave it; also the other errors of `load_arrays`, but no DamagedCache with `force`.
    """
    spec, root = find(name), _root(cache_dir)
    folder, report = root / spec.name, progress or silent

    def there() -> bool:
        if force or not os.path.lexists(folder):
            return False
        map_folder(spec, folder)
        return True

    def make(partial: Path) -> None:
        write_folder(spec, _collect(spec, root, partial, report), partial / "ready")

    made_once(folder, there, make, report, replace=force)
    map_folder(spec, folder)
    return folder


def verify(name: str, cache_dir: Path | None = None) -> list[FileCheck]:
    """Check every byte of dataset `name` in the cache: (file, ok, message) for the manifest and each array.

    A dataset that is not in the cache gives one entry, not ok. Nothing is fetched, changed or deleted.

    Raises:
        ValueError: no such dataset.
    """
    spec = find(name)
    return verify_folder(spec, _root(cache_dir) / spec.name)


def _collect(spec: DatasetSpec, root: Path, partial: Path, report: Progress) -> dict[str, Bytes]:
    failures: list[tuple[str, str]] = []
    for number, source in enumerate(spec.sources):
        scratch = partial / f"source-{number}"
        scratch.mkdir()
        report(f"{spec.name}: {source.label}", 0, None)
        try:
            arrays = source.collect(spec, scratch, report)
            spec.check(arrays, source.label)
            return arrays
        except SourceUnreachable as error:
            if shutil.disk_usage(partial).free < _ROOM:  # the client says so in words of its own, or not at all
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(partial)) from error
            _log.info("%s: %s: %s", spec.name, source.label, error)
            failures.append((source.label, str(error)))
        except SourceRefused as error:
            _log.warning("%s: refused: %s", spec.name, error)
            failures.append((source.label, f"refused: {error}"))
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    raise DatasetUnavailable(spec.name, root, failures)


def _root(cache_dir: Path | None) -> Path:
    return default_cache_dir() if cache_dir is None else Path(cache_dir).expanduser().absolute()
