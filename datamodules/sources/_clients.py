"""Run a package manager's own client: watched, bounded in time and size, and always ended."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from datamodules.sources._errors import SourceUnreachable, plain
from datamodules.sources._spec import Progress

_POLL_SECONDS = 0.1
_STALL_SECONDS = 120.0  # with no byte written: a proxy that swallows packets says nothing at all
_LIMIT_SECONDS = 3600.0
_NO_NETWORK = re.compile(
    r"ENOTFOUND|EAI_AGAIN|getaddrinfo|name resolution|name or service not known|nodename nor servname"
    r"|could not resolve|temporary failure resolving|network is unreachable|ENETUNREACH",
    re.IGNORECASE,
)
_NO_ANSWER = re.compile(r"ECONNREFUSED|connection refused|ETIMEDOUT|timed out|could not connect", re.IGNORECASE)
_NOISE = re.compile(r"complete log of this run|^(npm (error|ERR!) )?code |^Traceback", re.IGNORECASE)
_ADDRESS = re.compile(r"\S*://\S*")


@dataclass(frozen=True)
class Watch:
    """The folder to watch while a client runs; its growth goes to `report` under `description`.

    `expected` is the approximate number of bytes to come; at four times as many the client is stopped.
    """

    folder: Path
    report: Progress
    description: str
    expected: int


def run_client(command: Sequence[str], watch: Watch, environment: Mapping[str, str] | None = None) -> None:
    """Run `command` in `watch.folder` to its end, without a terminal.

    Raises:
        SourceUnreachable: the program is missing, failed, wrote too much, or wrote nothing for too long.
    """
    program = require(command[0])
    with tempfile.TemporaryFile() as output:
        # a session of its own, so that what the client started can be stopped with it
        try:
            process = subprocess.Popen(
                [program, *command[1:]],
                cwd=watch.folder,
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise SourceUnreachable(f"{command[0]} does not start: {error.strerror}") from error
        try:
            _wait(process, watch)
        finally:
            stop(process)
        output.seek(0)
        text = output.read().decode(errors="replace")
    if process.returncode != 0:
        raise SourceUnreachable(phrase(text) or f"{command[0]} ended with status {process.returncode}")


def require(program: str) -> str:
    """Return the path of `program`; raise SourceUnreachable if there is none."""
    path = shutil.which(program)
    if path is None:
        raise SourceUnreachable(f"{program} is not installed")
    return path


def stop(process: subprocess.Popen[bytes]) -> None:
    """End the process, with the group that it leads if it leads one, and reap it."""
    if process.poll() is None:
        with contextlib.suppress(AttributeError, ProcessLookupError, PermissionError):  # Windows has no groups
            if os.getpgid(process.pid) == process.pid:
                os.killpg(process.pid, signal.SIGKILL)
        process.kill()
    process.wait()


def phrase(text: str) -> str:
    """Return in a few words why a client failed, from what it printed; no address of any machine is passed on."""
    if _NO_NETWORK.search(text):
        return "no network: the name look-up failed"
    if _NO_ANSWER.search(text):
        return "no network: the connection was refused or timed out"
    lines = [line.strip() for line in text.splitlines() if line.strip() and not _NOISE.search(line.strip())]
    if not lines:
        return ""
    # npm says what matters first, a traceback and apt say it last
    line = next((line for line in lines if line.startswith(("npm error", "npm ERR!"))), lines[-1])
    return plain(_ADDRESS.sub("its server", line), 160)


def _wait(process: subprocess.Popen[bytes], watch: Watch) -> None:
    start = last_growth = time.monotonic()
    size = 0
    while process.poll() is None:
        time.sleep(_POLL_SECONDS)
        now, found = time.monotonic(), folder_size(watch.folder)
        if found != size:
            size, last_growth = found, now
            watch.report(watch.description, min(size, watch.expected), watch.expected)
        if size > 4 * watch.expected + (64 << 20):
            raise SourceUnreachable(f"stopped: it wrote {size >> 20} MB, far more than the package has")
        if now - last_growth > _STALL_SECONDS:
            raise SourceUnreachable(f"stopped: no byte came for {_STALL_SECONDS:.0f} s")
        if now - start > _LIMIT_SECONDS:
            raise SourceUnreachable(f"stopped: not done after {_LIMIT_SECONDS:.0f} s")


def folder_size(folder: Path) -> int:
    """Return the bytes of all the files under `folder`, which may change meanwhile."""
    size = 0
    for directory, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                size += os.lstat(Path(directory, name)).st_size
    return size
