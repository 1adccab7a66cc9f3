"""W&B's own process, which a run starts, and which may hang."""

import contextlib
import os
import signal
from pathlib import Path

_NAME = "wandb-core"


def services(starter: int | None = None) -> list[int]:
    """Ids of W&B's own processes that a process has started, by default this one; empty where there is no /proc."""
    found = []
    for file in Path(f"/proc/{starter or os.getpid()}/task").glob("*/children"):
        with contextlib.suppress(OSError):  # a thread, or a child, has ended in between
            children = file.read_text().split()
            found += [int(child) for child in children if _NAME in Path(f"/proc/{child}/cmdline").read_text()]
    return found


def end_services() -> None:
    """Kill them: they do not answer, and this process would wait at its end until they have ended."""
    for process in services():
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def forget_service() -> None:
    """Let wandb close its side of a process that has failed: when this one ends, it would tell of it at length."""
    with contextlib.suppress(Exception, SystemExit):  # it may want to end this process with the other's exit status
        import wandb

        wandb.teardown()
