"""Signals that stop a command: at once, or after the step that is being made; and the exception that ends it."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
_OF_SLURM = "SIGUSR1"  # what a job asks for ahead of its end: `#SBATCH --signal=SIGUSR1@60`


STOPPED = 130  # exit status; the shell's of a process that SIGINT ended


class RunStopped(BaseException):
    """The command was stopped from outside. No `except Exception` of a library takes it for an error of its own.

    Attributes:
        told: whether the user knows by now.
    """

    told = False


class _Stop:
    def __init__(self) -> None:
        self.requested, self.at_once = False, True
        self.before: dict[signal.Signals, Any] = {}


_STOP = _Stop()


def requested() -> bool:
    """Whether a signal has come that waits for the step's end."""
    return _STOP.requested


def request(*_: object) -> None:
    """Stop, as a signal does: at once, or when the step is settled; the second time at once.

    Raises:
        RunStopped: where the command may be interrupted.
    """
    again, _STOP.requested = _STOP.requested, True
    if again or _STOP.at_once:
        raise RunStopped


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGINT, SIGTERM and SIGHUP end the block at once.

    Raises:
        RunStopped: in the block; at its beginning, if a signal waits for a step's end.
    """
    with _handled(at_once=True):
        yield


@contextmanager
def deferred() -> Iterator[None]:
    """Let the first such signal in the block wait until somebody asks whether it is `requested`."""
    with _handled(at_once=False):
        yield


@contextmanager
def _handled(at_once: bool) -> Iterator[None]:
    """Handle the signals in the block, and leave them as they were; within another such block, change how alone.

    SIGHUP stays ignored where it is, as `nohup` has it, and SIGQUIT is never touched. SIGUSR1 stops a job of SLURM.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    outermost, before = not _STOP.before, _STOP.at_once
    if outermost:
        _STOP.requested = False
        _STOP.before = {number: signal.signal(number, request) for number in _numbers()}
    _STOP.at_once = at_once
    try:
        if at_once and _STOP.requested:
            raise RunStopped
        yield
    finally:
        _STOP.at_once = before
        if outermost:
            for number, handler in _STOP.before.items():
                signal.signal(number, handler or signal.SIG_DFL)
            _STOP.before = {}


def _numbers() -> list[signal.Signals]:
    names = [*_NAMES, _OF_SLURM] if "SLURM_JOB_ID" in os.environ else _NAMES
    known = [signal.Signals[name] for name in names if hasattr(signal, name)]
    return [one for one in known if one.name != "SIGHUP" or signal.getsignal(one) is not signal.SIG_IGN]
