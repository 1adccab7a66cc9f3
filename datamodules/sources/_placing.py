"""A folder in the cache that is made once, by one of the processes that want it, and is whole or not there."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from datamodules.sources._cache import sync_folder
from datamodules.sources._errors import CacheNotWritable
from datamodules.sources._spec import Progress
from records.lock import exclusive


def made_once(
    folder: Path, there: Callable[[], bool], make: Callable[[Path], None], report: Progress, replace: bool
) -> None:
    """Make a folder of the cache, unless it is there; one killed meanwhile leaves the cache as it was.

    Args:
        folder: folder to make, in the cache's root.
        there: function that says whether the folder is there, and is what is wanted.
        make: function that gets a new folder, and fills the folder `ready` in it.
        report: progress callback, which is told of a wait for another process.
        replace: whether a folder that is there, and is not what is wanted, may be replaced.

    Raises:
        CacheNotWritable: the file system refuses something.
    """
    root = folder.parent
    clear_partials(root)
    if there():
        return
    with _errors_of(root):
        root.mkdir(parents=True, exist_ok=True)
        lock = root / f".lock-{folder.name}"
        with exclusive(lock, lambda: report(f"{folder.name}: waiting for another process", 0, None)):
            if there():  # the process that we waited for made it
                return
            partial = Path(tempfile.mkdtemp(prefix=f".partial-{folder.name}-", dir=root))
            try:
                make(partial)
                _put_in_place(partial, folder, replace)
                sync_folder(root)
            finally:
                shutil.rmtree(partial, ignore_errors=True)


def clear_partials(root: Path) -> None:
    """Remove what processes that were killed have left; one that is at work holds its folder's lock."""

    def under_way() -> None:
        raise BlockingIOError

    for stale in root.glob(".partial-*"):
        name = stale.name.removeprefix(".partial-").rpartition("-")[0]
        with contextlib.suppress(OSError), exclusive(root / f".lock-{name}", under_way) as held:
            if held:
                shutil.rmtree(stale, ignore_errors=True)


def silent(description: str, done: int, total: int | None) -> None:
    """Report nothing."""


def _put_in_place(partial: Path, folder: Path, replace: bool) -> None:
    if replace and os.path.lexists(folder):
        folder.rename(partial / "replaced")
    try:
        (partial / "ready").rename(folder)
    except OSError:
        if folder.is_dir():  # where there are no locks, another process may have been first: its arrays are as good
            return
        if os.path.lexists(partial / "replaced"):
            (partial / "replaced").rename(folder)
        raise


@contextlib.contextmanager
def _errors_of(root: Path) -> Iterator[None]:
    """Turn what the file system says into a message that names the directory and the remedy."""
    try:
        yield
    except OSError as error:
        raise CacheNotWritable(root, error) from error
