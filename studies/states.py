"""What has become of a cell, read from its directory alone."""

from typing import Any

from commands.configuration.files import read_config
from records.files import mapping_in
from records.lock import held
from records.run_directory import RunDirectory
from studies.cells import CellDirectory

FINISHED, DIVERGED, REFUSED = "finished", "diverged", "refused"
FAILED, STOPPED, RUNNING, MISSING = "failed", "stopped", "running", "missing"
OVER = (FINISHED, DIVERGED, REFUSED)
TO_COME = (STOPPED, RUNNING, MISSING)


def state(directory: CellDirectory) -> str:
    """FINISHED or DIVERGED once its record says so, FAILED after a failed last try, STOPPED if it can go on.

    RUNNING while a process is at work there.
    REFUSED if its range test suggested nothing that it could train with: the same again, however often it is tried.
    """
    answer = result(directory)
    if answer is not None:
        return DIVERGED if answer.get("diverged") else FINISHED
    if held(directory.lock):
        return RUNNING
    if directory.failure.is_file():
        return REFUSED if mapping_in(directory.failure).get("refused") else FAILED
    return STOPPED if directory.run.is_dir() else MISSING


def _to_be_tested(run: RunDirectory) -> bool:
    config = read_config(run.config())
    return bool(config.get("test_after_fit", True)) and not (config.get("trainer") or {}).get("fast_dev_run")


def result(directory: CellDirectory) -> dict[str, Any] | None:
    """result.json of a cell that came to its end, or the answer of a range test alone; None before.

    A run that was stopped between its training and its test has a result.json without the test, and is not at its end.
    """
    run = RunDirectory(directory.run)
    if run.result.is_file():
        found = run.ended_with()
        if found is None:  # damaged: the run goes on, and writes it anew
            return None
        tested = any(name.startswith("test/") for name in found["metrics"])
        return found if tested or found.get("diverged") or not _to_be_tested(run) else None
    if run.begun_with().get("command", "fit") == "fit" or any(directory.run.glob("*_range_test.ckpt")):
        return None
    answers = sorted(directory.run.glob("*_range_test.json"))
    return mapping_in(answers[0]) or None if answers else None  # damaged: the test is run again
