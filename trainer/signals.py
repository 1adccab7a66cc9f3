"""How a command ends from outside: signals, at once or after the step that is being made, and the exception for it."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
_OF_SLURM = "SIGUSR1"  # what a job asks for ahead of its end: `#SBATCH --signal=USR1@120`
# Seconds from a signal within which others are the same one: what stops a group of processes, as Ctrl-C in a terminal
# does, comes to each of them, and from `timeout`, `uv run` or a study once more.
ONE_STOP = 1.0


STOPPED = 130  # exit status; the shell's of a process that SIGINT ended


class RunStopped(BaseException):
    """The command was stopped from outside. No `except Exception` of a library takes it for an error of its own.

    Attributes:
        told: whether the user knows by now.
        first: whether this process is its run's first one, which speaks for the others.
        agreed: whether all processes of the run stop here.
    """

    told, first = False, True

    def __init__(self, agreed: bool = False) -> None:
        super().__init__()
        self.agreed = agreed


class _Stop:
    def __init__(self) -> None:
        self.requested, self.at_once, self.of_slurm = False, True, False
        self.since: float | None = None  # time of the first signal that is not SLURM's
        self.before: dict[signal.Signals, Any] = {}


_STOP = _Stop()


def requested() -> bool:
    """Whether a signal has come that waits for the step's end."""
    return _STOP.requested


def job_ends() -> bool:
    """Whether SLURM's own signal has stopped the command: its job ends, and is to be queued again."""
    return _STOP.of_slurm


def request(number: int = signal.SIGTERM, *_: object) -> None:
    """Stop, as a signal does: at once, or when the step is settled; the second time at once.

    The second time is a second later or more: until then it is the same stop, passed on by another process. SLURM's own
    signal is none of the two: it comes with others that say the same, before or behind it.

    Args:
        number: number of the signal.

    Raises:
        RunStopped: where the command may be interrupted.
    """
    of_slurm, now = signal.Signals(number).name == _OF_SLURM, time.monotonic()
    if of_slurm and _STOP.of_slurm:  # the processes of a run have agreed on it already
        return
    first = _STOP.since
    if not of_slurm:
        if first is not None and now - first < ONE_STOP:
            return
        _STOP.since = now
    again = first is not None and not of_slurm
    _STOP.requested, _STOP.of_slurm = True, _STOP.of_slurm or of_slurm
    if again or _STOP.at_once:
        raise RunStopped


def follow(of_slurm: bool) -> None:
    """Stop since another process of the run was told to; SLURM's signal may be on its way to this one."""
    _STOP.requested, _STOP.of_slurm = True, _STOP.of_slurm or of_slurm


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
        _STOP.requested, _STOP.of_slurm, _STOP.since = False, False, None
        _STOP.before = {number: signal.signal(number, request) for number in numbers()}
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


def numbers() -> list[signal.Signals]:
    """The signals that stop a command here."""
    names = [*_NAMES, _OF_SLURM] if "SLURM_JOB_ID" in os.environ else _NAMES
    known = [signal.Signals[name] for name in names if hasattr(signal, name)]
    return [one for one in known if one.name != "SIGHUP" or signal.getsignal(one) is not signal.SIG_IGN]


def end_process_group() -> None:
    """End the threads of this process's group, if it has one, once all processes of the run end at the same step.

    A thread of gloo's that still gives back a tensor while the interpreter ends brings the process down: "terminate
    called without an active exception", SIGABRT. Lightning ends NCCL's group by itself, and leaves gloo's. Not for a
    process that stops elsewhere than the others: this waits for exchanges under way, up to their time limit.
    """
    distributed = sys.modules.get("torch.distributed")
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()
