"""What a job of SLURM does by itself: its command goes on with the run that it began, and the job is queued again."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from commands.configuration.references import filled
from commands.errors import notice
from records.generation import last_start, this_start
from records.run_directory import RunDirectory

_NAMED = ("--run_dir", "--resume")
_QUEUED = "Job is pending execution"  # what scontrol says where another process of the job was quicker


def goes_on_with(named: str | None) -> RunDirectory | None:
    """The run that this very job began before SLURM queued it again, once no older copy of it is at work; else None.

    Args:
        named: what `--run_dir` says, which may refer to the environment.
    """
    ours = this_start()
    if named is None or not ours.job or not ours.restart:
        return None
    run = RunDirectory(Path(filled(named, os.environ, "run_dir")))
    last = last_start(run.root)
    if last is None or last.job != ours.job:
        return None
    run.take_over()
    return run if run.resumable() else None


def names_its_run(words: Sequence[str]) -> bool:
    """Whether a command line names its run directory, so that it goes on there in a later start of its job."""
    return any(word.partition("=")[0] in _NAMED for word in words)


def queue_again(goes_on: bool = True) -> None:
    """Ask SLURM to queue this process's job again, and say what came of it.

    Args:
        goes_on: whether the job's command would go on with what it did, and not begin another run.
    """
    job = _job()
    if not goes_on:
        notice(f"job {job} is not queued again, as its command would begin another run: name the run by --run_dir")
    elif (refusal := _refusal(job)) and _QUEUED not in refusal:
        notice(f"job {job} is not queued again, as scontrol says: {refusal}")
    else:
        print(f"cadence: job {job} is queued again, and goes on from there", file=sys.stderr, flush=True)


def _refusal(job: str) -> str:
    """Why SLURM does not queue a job again; "" if it does."""
    ending = (signal.SIGUSR1, signal.SIGTERM)  # what it sends to the job's processes while it is asked
    before = {number: signal.signal(number, signal.SIG_IGN) for number in ending}
    try:
        done = subprocess.run(["scontrol", "requeue", job], capture_output=True, text=True, timeout=60)
        return (done.stderr.strip() or f"exit status {done.returncode}").splitlines()[0] if done.returncode else ""
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    finally:
        for number, handler in before.items():
            if handler is not None:  # one that is none of Python's cannot be set again
                signal.signal(number, handler)


def _job() -> str:
    """The job's name for scontrol, by which one task of an array is not taken for all of them."""
    array, task = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    return f"{array}_{task}" if array and task else os.environ["SLURM_JOB_ID"]
