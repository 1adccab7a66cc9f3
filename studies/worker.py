"""What a cell's own process does: forked from the warm server, one thread, its output in a log."""

import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path

from records.files import write_json
from records.generation import ELSEWHERE
from records.run_directory import RunDirectory
from studies.cells import CellDirectory

_CADENCE = Path(__file__).resolve().parent.parent / "cli.py"


class _Taken(Exception):
    """Another process holds the cell's lock."""


def resolve(commands: Sequence[Sequence[str]], answers: Connection) -> None:
    """Send the resolved configuration of each command line, or the mistake in it as text with a False before it."""
    _leave_server()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what a configuration makes known, each cell's own log tells
    from commands.configuration.resolved import resolved
    from commands.errors import UserError
    from commands.working_directory import importable

    for command, *arguments in commands:
        try:
            with importable():
                answers.send((True, resolved(command, list(arguments))))
        except UserError as error:
            answers.send((False, str(error)))
            return


def run(arguments: Sequence[str], directory: CellDirectory, launcher: Connection, environment: dict[str, str]) -> None:
    """Begin a cell, or go on with it, and exit with its status; ELSEWHERE if another process has it.

    Args:
        arguments: command line of the cell.
        directory: directory of the cell.
        launcher: other end of a pipe, through which the launcher says that the cell is to stop, as by SIGTERM; once it
            closes, the cell stops too.
        environment: environment of the launcher, since the server's may be older.
    """
    _leave_server()
    os.environ.clear()
    os.environ.update(environment)
    out = os.open(directory.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    os.dup2(out, 1)
    os.dup2(out, 2)
    threading.Thread(target=_stop_with, args=(launcher,), daemon=True).start()
    if "pytorch_lightning" not in sys.modules:
        print("cadence study: the server has imported nothing, so each cell pays for its own imports", file=sys.stderr)
    sys.exit(run_here(arguments, directory, threads=1))


def _leave_server() -> None:
    from studies import server  # has torch in it, which the launcher has no need of

    server.leave()


def run_here(arguments: Sequence[str], directory: CellDirectory, threads: int | None) -> int:
    """Run a cell in this process; returns its exit status, ELSEWHERE if another process has it.

    Args:
        arguments: command line of the cell.
        directory: directory of the cell.
        threads: number of torch's threads; None for torch's own choice, in a job that has this cell alone.
    """
    import torch

    from callbacks.range_tests.range_test import NoSuggestion
    from commands import Call, training
    from commands.errors import report
    from commands.working_directory import importable
    from records.lock import exclusive

    if threads is not None:
        torch.set_num_threads(threads)
    try:
        taken = RunDirectory(directory.run).take_over()
        with exclusive(directory.lock, (lambda: None) if taken else _Elsewhere()):
            command, *words = _command(arguments, directory)
            _name_process(command, words)
            with importable():
                return training.run(Call(command, words, time.monotonic(), alone=threads is None))
    except _Taken:
        return ELSEWHERE
    except BaseException as error:
        if isinstance(error.__cause__, NoSuggestion):
            write_json(directory.failure, {"status": 2, "error": str(error.__cause__), "refused": True})
        return report(error)


def _command(arguments: Sequence[str], directory: CellDirectory) -> list[str]:
    """Command line that begins the cell, or goes on with what there is of it."""
    if RunDirectory(directory.run).resumable():
        return [arguments[0], "--resume", str(directory.run)]
    if directory.run.is_dir():  # stopped before there was anything to go on from
        import shutil

        shutil.rmtree(directory.run)
    return [*arguments, "--run_dir", str(directory.run), "--trainer.enable_progress_bar=false"]


def _name_process(command: str, words: Sequence[str]) -> None:
    """Let this process be called what it does: Lightning starts the other processes of a run by the same command."""
    sys.argv = [str(_CADENCE), command, *words]
    sys.modules["__main__"].__spec__ = None  # else it would be `python -m` of the study's command


class _Elsewhere:
    """Raises _Taken if a lock is found held twice: once may be somebody's look at whether it is held."""

    def __init__(self) -> None:
        self._found = 0

    def __call__(self) -> None:
        self._found += 1
        if self._found > 1:
            raise _Taken


def _stop_with(launcher: Connection) -> None:
    """Stop as a signal would have it, with a checkpoint: at each word of the launcher, or at its end without one."""
    told = gone = False
    while not gone:
        try:
            launcher.recv_bytes()
        except (EOFError, OSError):
            gone = True
        if not (told and gone):
            os.kill(os.getpid(), signal.SIGTERM)
        told = True
