"""Which start of which job has a run directory, so that an older copy of the run ends before it writes there.

SLURM starts a job again when it loses sight of a node, and the job's first processes may go on there. A lock does not
reach from one node to another on every file system; a file does.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

FILE = ".generation"
ELSEWHERE = 75  # exit status of what another process does: EX_TEMPFAIL of sysexits.h
_OUTSIDE = ""  # the job of a process that SLURM has not started

_claims: dict[Path, Start] = {}  # by run directory, as this process has claimed them


@dataclass(frozen=True)
class Start:
    """A process that works in a run directory.

    Attributes:
        job: SLURM's id of its job; "" outside of one.
        restart: number of times that SLURM has started the job again.
        process: process and host, for people.
        token: text that no other process has.
    """

    job: str
    restart: int
    process: str = ""
    token: str = ""

    def __str__(self) -> str:
        own = f"start {self.restart} of job {self.job}, " if self.job else ""
        return f"{own}{self.process}"


class TakenOver(BaseException):
    """Another process has the run directory now. It is no library's to catch."""


def this_start(environment: Mapping[str, str] = os.environ) -> Start:
    """The start that this process is of."""
    count = environment.get("SLURM_RESTART_COUNT", "")
    return Start(environment.get("SLURM_JOB_ID", _OUTSIDE), int(count) if count.isdecimal() else 0)


def last_start(root: Path) -> Start | None:
    """The start that claimed a run directory last; None where no job ever did."""
    try:
        found = json.loads((root / FILE).read_bytes())
        return Start(str(found["job"]), int(found["restart"]), str(found["process"]), str(found["token"]))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def goes_on(root: Path) -> bool:
    """Whether this process is of a later start of the very job that claimed a run directory last."""
    ours, last = this_start(), last_start(root)
    return bool(ours.job) and last is not None and last.job == ours.job and last.restart < ours.restart


@contextlib.contextmanager
def claimed(root: Path) -> Iterator[None]:
    """Claim a run directory for the block: whoever claimed it before ends when it would write there next.

    Outside of a job there is nothing to do, unless a job has claimed it before.

    Raises:
        TakenOver: a later start of this process's job has claimed it.
    """
    ours, last = this_start(), last_start(root)
    if last is not None and last.job == ours.job and last.job and last.restart > ours.restart:
        raise TakenOver(_told(root, last))
    if not ours.job and last is None:
        yield
        return
    from records.files import write_json  # which asks this module before it writes

    process = f"process {os.getpid()} on {socket.gethostname()}"
    ours = replace(ours, process=process, token=secrets.token_hex(8))
    write_json(root / FILE, asdict(ours))
    claimed_root = root.absolute()  # also where the block changes the working directory
    _claims[claimed_root] = ours
    try:
        yield
    finally:
        del _claims[claimed_root]


def check_ours(path: Path) -> None:
    """Check, before a file is written, that the run directory which it lies in is still this process's.

    Raises:
        TakenOver: another process has claimed it since, or has removed it.
    """
    if not _claims:
        return
    for folder in path.absolute().parents:
        if (ours := _claims.get(folder)) is not None and (last := last_start(folder)) != ours:
            raise TakenOver(_told(folder, last))


def _told(root: Path, last: Start | None) -> str:
    by = "it was removed" if last is None else f"{last} has it"
    return f"run_dir {root}: {by}, so this older copy of the run ends"
