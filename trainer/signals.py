"""SIGINT and SIGTERM, and the error by which a run that they stopped ends."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class RunStopped(Exception):
    """Training was stopped from outside; the checkpoint to resume from is written."""


@contextmanager
def interruptible() -> Iterator[None]:
    """SIGINT and SIGTERM raise RunStopped here; whoever handled them before does so again afterwards.

    Else Lightning would put SIGTERM off until the next step, which a rehearsal of minutes or hours stands before, and
    end a run on SIGINT without a word.
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
