"""A lock between processes that ends with the process that holds it, and says whether, and by whom, it is held."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

_POLL_SECONDS = 0.1
_LOOKS = 20  # a file system that numbers a file anew at each look has to be taken as it is
_open: set[IO[bytes]] = set()


@contextlib.contextmanager
def exclusive(file: Path, waiting: Callable[[], None]) -> Iterator[bool]:
    """Hold the lock on `file`, which is made if need be, names its holder, and is removed afterwards.

    Calls `waiting` repeatedly while another process holds it; that may raise, to wait no longer. Processes forked in
    the block do not hold it: they may outlive this one. Yields False where the system or the file system has no such
    locks: the caller must then rely on atomic renames, and must not delete what may be another process's.
    """
    try:
        import fcntl
    except ImportError:  # not a Unix
        yield False
        return
    looks = 0
    while True:
        with file.open("a+b", buffering=0) as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waiting()
                time.sleep(_POLL_SECONDS)
                continue
            except OSError:  # a network file system without locks
                yield False
                return
            if looks < _LOOKS and not _is_at(stream, file):  # its holder has removed it: this one locks nobody out
                looks += 1
                continue
            _sign(stream)
            _open.add(stream)
            owner = os.getpid()
            try:
                yield True
            finally:
                _open.discard(stream)
                if os.getpid() == owner and _is_at(stream, file):
                    file.unlink(missing_ok=True)
            return  # closing the file gives the lock back


def held(file: Path) -> bool:
    """Whether a process holds the lock on `file` now; False where the file system has no such locks.

    For the moment of the look no process can take the lock: one that finds it held has to look twice.
    """
    try:
        import fcntl

        with file.open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except (ImportError, OSError):
        return False
    return False


def holder(file: Path) -> tuple[str, str]:
    """Process and host of who holds the lock on `file`, as it wrote them there."""
    for _ in range(10):
        with contextlib.suppress(OSError, ValueError):
            pid, host = file.read_text().split()
            return pid, host
        time.sleep(_POLL_SECONDS / 10)  # it holds the lock, and is about to write
    return "unknown", "unknown"


def _sign(stream: IO[bytes]) -> None:
    with contextlib.suppress(OSError):  # on a full disk the lock holds as well
        stream.truncate(0)
        stream.write(f"{os.getpid()} {socket.gethostname()}\n".encode())


def _is_at(stream: IO[bytes], file: Path) -> bool:
    """Whether the open file is the one that lies at this path now."""
    try:
        return os.path.samestat(os.fstat(stream.fileno()), file.stat())
    except OSError:
        return False


def _let_go() -> None:
    for stream in _open:
        stream.close()
    _open.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)
