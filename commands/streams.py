"""Standard streams that are closed, full, or a pipe whose reader has left: they end no run and leave no traceback."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

PIPE_CLOSED = 141  # the shell's status of a process that SIGPIPE ended


class Lasting:
    """A text stream that drops what comes after its first failed write, and remembers the failure.

    Args:
        stream: the stream itself; all that is not written goes to it.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.failure: OSError | None = None

    def write(self, text: str) -> int:
        """Write, or drop the text if the stream has failed."""
        try:
            return self.stream.write(text) if self.failure is None else len(text)
        except OSError as error:
            self._give_up(error)
            return len(text)

    def flush(self) -> None:
        """Hand on what was written, unless the stream has failed."""
        try:
            if self.failure is None:
                self.stream.flush()
        except OSError as error:
            self._give_up(error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def _give_up(self, error: OSError) -> None:
        self.failure = error
        try:
            with Path(os.devnull).open("w") as nowhere:  # what is still buffered goes there at the process's end
                os.dup2(nowhere.fileno(), self.stream.fileno())
        except (OSError, ValueError):
            pass  # no file stands behind the stream


@contextmanager
def lasting() -> Iterator[Lasting]:
    """Streams that last for the block; gives the one of standard output."""
    _open_closed()
    before = sys.stdout, sys.stderr
    out, err = Lasting(sys.stdout), Lasting(sys.stderr)
    sys.stdout, sys.stderr = out, err
    try:
        yield out
    finally:
        out.flush()
        err.flush()
        sys.stdout, sys.stderr = before


def status_of(out: Lasting, status: int, needed: bool) -> int:
    """The exit status of a command, which is an error if its output was what it is for, and is lost.

    Args:
        out: standard output.
        status: status that the command itself gave.
        needed: whether the output is what the command is for, and not a run directory.
    """
    out.flush()
    if out.failure is None:
        return status
    if out.failure.errno == errno.EPIPE:  # the reader has seen enough, as in `cadence list | head -1`
        return status or (PIPE_CLOSED if needed else 0)
    print(f"cadence: standard output: {out.failure.strerror}: the rest of what it says is lost", file=sys.stderr)
    return status or (2 if needed else 0)


def _open_closed() -> None:
    """Put /dev/null where a standard stream is closed: the next file would take its number, and what is printed."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, closefd=False))
