"""Cells as jobs of a cluster, by submitit: one array job a study, requeued where the cluster preempts.

`cadence study run NAME --launcher slurm` hands in the cells that have not ended, and returns; called again, it hands
in those that are neither over nor waiting. What a job is given (time, partition, GPUs) comes by `--slurm`.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from studies import worker
from studies.cells import Cell, CellDirectory
from studies.states import OVER, state

FOLDER = "jobs"  # submitit's files, below the folder of the cells


class CellJob:
    """One cell on a node of the cluster; submitit pickles it.

    A job that was preempted or ran into its time limit is handed in again, and goes on from the cell's checkpoint.

    Args:
        variables: variables to add to the job's environment.
    """

    def __init__(self, variables: Mapping[str, str] | None = None) -> None:
        self.variables = dict(variables or {})

    def __call__(self, arguments: Sequence[str], directory: CellDirectory) -> int:
        """Run the cell, or go on with it; returns its exit status."""
        from trainer.process import settle

        os.environ.update(self.variables)
        settle()
        if state(directory) in OVER:  # another launcher's job was quicker
            return 0
        return worker.run_here(arguments, directory, threads=None)

    def checkpoint(self, arguments: Sequence[str], directory: CellDirectory) -> Any:
        """What submitit hands in again."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, arguments, directory)


def submit(
    cells: Sequence[Cell],
    root: Path,
    cluster: str,
    given: Mapping[str, Any],
    at_once: int,
    options: Sequence[str] = (),
) -> list[Any]:
    """Hand in the cells that have neither ended nor wait already; returns submitit's jobs.

    Args:
        cells: cells of the study.
        root: folder of their run directories.
        cluster: submitit's name of the cluster: `slurm`, or `local` and `debug` to try without one.
        given: submitit's parameters for each job, such as `timeout_min`, `slurm_partition`, `gpus_per_node`.
        at_once: largest number of jobs that run at the same time.
        options: words behind those of each cell, which change nothing of what it computes.

    Raises:
        ValueError: submitit is not installed, there is no such cluster here, or a parameter is unknown to it.
    """
    try:
        import submitit
    except ImportError as error:
        raise ValueError("--launcher slurm needs submitit: install it by pip install 'cadence[slurm]'") from error
    root = root.absolute()
    root.mkdir(parents=True, exist_ok=True)
    waiting = [cell for cell in cells if not over_or_waiting(CellDirectory(root, cell.id))]
    try:
        executor = submitit.AutoExecutor(folder=root / FOLDER / "%j", cluster=cluster)
        executor.update_parameters(**{"name": root.name, "slurm_array_parallelism": at_once, **given})
    except (RuntimeError, TypeError, NameError, ValueError) as error:
        raise ValueError(f"--launcher slurm: {str(error).splitlines()[0]}") from error
    jobs = []
    if waiting:
        with executor.batch():
            for cell in waiting:
                work, words = CellJob(cell.labels(root.name)), [*cell.arguments, *options]
                jobs.append(executor.submit(work, words, CellDirectory(root, cell.id)))
    for cell, job in zip(waiting, jobs, strict=True):
        _note(CellDirectory(root, cell.id), job.job_id)
    return jobs


def over_or_waiting(directory: CellDirectory, known: Callable[[str], bool] | None = None) -> bool:
    """Whether a cell needs no job: it has ended, or a job of it waits or runs.

    Args:
        directory: directory of the cell.
        known: function that says whether the cluster still knows a job as waiting or running; squeue by default.
    """
    if state(directory) in OVER:
        return True
    note = _note_file(directory)
    return note.is_file() and (known or _queued)(note.read_text().strip())


def _queued(job: str) -> bool:
    import subprocess

    asked = ["squeue", "--noheader", "--format=%i", f"--jobs={job}"]
    try:
        found = subprocess.run(asked, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return found.returncode == 0 and bool(found.stdout.strip())


def _note(directory: CellDirectory, job: str) -> None:
    _note_file(directory).write_text(f"{job}\n")


def _note_file(directory: CellDirectory) -> Path:
    return directory.root / f"{directory.id}.job"


def parameters(words: str) -> dict[str, Any]:
    """`timeout_min=60 partition=gpu gpus_per_node=1` as submitit's parameters; sbatch's own names get their prefix.

    Raises:
        ValueError: a word is no NAME=VALUE.
    """
    found: dict[str, Any] = {}
    for word in words.split():
        name, equals, value = word.partition("=")
        if not equals or not name or not value:
            raise ValueError(f"--slurm {word}: give NAME=VALUE, e.g. --slurm 'timeout_min=60 partition=gpu'")
        shared = ("timeout_min", "mem_gb", "nodes", "cpus_per_task", "gpus_per_node", "tasks_per_node")
        name = name if name in shared or name.startswith("slurm_") else f"slurm_{name}"
        found[name] = int(value) if value.isdecimal() else value
    return found


def job_folder(root: Path) -> Path:
    """Folder of submitit's files, with each job's output."""
    return Path(os.path.relpath(root / FOLDER))
