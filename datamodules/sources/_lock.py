"""A lock between processes that ends with the process that holds it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

_POLL_SECONDS = 0.1


@contextlib.contextmanager
def exclusive(file: Path, waiting: Callable[[], None]) -> Iterator[bool]:
    """Hold the lock on `file` (made if need be; never removed, as another process may be about to lock it).

    Calls `waiting` repeatedly while another process holds it. Yields False where the system or the file system has no
    such locks: the caller must then rely on atomic renames, and must not delete what may be another process's.
    """
    try:
        import fcntl
    except ImportError:  # not a Unix
        yield False
        return
    with file.open("ab") as stream:
        while True:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                held = True
                break
            except BlockingIOError:
                waiting()
                time.sleep(_POLL_SECONDS)
            except OSError:  # a network file system without locks
                held = False
                break
        yield held  # closing the file gives the lock back
