"""SIGINT and SIGTERM, and the exception that ends a run which they stopped."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class RunStopped(Exception):
    """Training was stopped from outside; the checkpoint to resume from is written."""


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise RunStopped on SIGINT and SIGTERM in the block; the former handlers are restored after it.

    Lightning's handlers would defer SIGTERM to the next step, which may be hours away during a rehearsal, and would end
    a run on SIGINT without a message.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: object) -> None:
        raise RunStopped

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)
