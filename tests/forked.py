"""`cadence` in a child of this process, which has torch and Lightning already: a fresh process without its ten seconds.

The child has its own file descriptors, signals and limits. One that takes too long is ended by a signal: its processor
time counts, not the clock, which other load on the machine slows; the clock ends one that waits for ever.
"""

import os
import resource
import signal
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import IO

# What a child needs and should not import again.
WARM = ("commands.session", "commands.range_tests", "commands.training", "figures.learning_curves", "figures.schedule")
LIMIT = 10  # seconds of a processor, for whatever a user may give


@dataclass(frozen=True)
class Done:
    """What a child left: its exit status, below 0 if it took too long, and what it wrote."""

    status: int
    out: str
    err: str


@dataclass(frozen=True)
class Child:
    """A child that is at work, and the files that its standard streams go to."""

    pid: int
    out: IO[bytes]
    err: IO[bytes]

    def runs(self) -> bool:
        """Whether it has not ended."""
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    def done(self) -> Done:
        """Wait for its end."""
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        texts = []
        for file in (self.out, self.err):
            with file:
                file.seek(0)
                texts.append(file.read().decode(errors="backslashreplace"))
        return Done(status, *texts)


def forked(
    *arguments: object,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    limit: int = LIMIT,
    first: Callable[[], object] = lambda: None,
) -> Done:
    """Run `cadence ARGUMENTS` in a child process.

    Args:
        arguments: words behind `cadence`.
        cwd: folder of the child.
        env: variables to add to the environment.
        limit: seconds of a processor after which the child is ended, and a sixth of those on the clock.
        first: function that the child calls before all else, with its standard streams in place.
    """
    return begun(*arguments, cwd=cwd, env=env, limit=limit, first=first).done()


def begun(
    *arguments: object,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    limit: int = LIMIT,
    first: Callable[[], object] = lambda: None,
) -> Child:
    """As `forked`, and do not wait for its end."""
    for module in WARM:
        import_module(module)
    sys.stdout.flush()
    sys.stderr.flush()
    out, err = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115  `done` closes them
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn of threads, which do not follow
        child = os.fork()
    if child == 0:
        _child([str(word) for word in arguments], cwd, env or {}, limit, first, (out.fileno(), err.fileno()))
    return Child(child, out, err)


def _child(
    arguments: list[str],
    cwd: Path,
    env: Mapping[str, str],
    limit: int,
    first: Callable[[], object],
    streams: tuple[int, int],
) -> None:
    status = 70  # a defect
    try:
        for number, stream in zip((1, 2), streams, strict=True):
            os.dup2(stream, number)
        sys.stdout = os.fdopen(1, "w", closefd=False)  # pytest's own lead elsewhere
        sys.stderr = os.fdopen(2, "w", closefd=False, errors="backslashreplace", buffering=1)
        os.environ.update(env)
        os.chdir(cwd)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(6 * limit)
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
        first()
        from cli import main

        status = main(arguments)
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(status)
