"""`cadence study run`: the cells that have not ended are run, and their tables written."""

import argparse
import contextlib
import os
import shlex
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType

from commands.requeueing import queue_again
from commands.tables.layout import lay, say
from studies.cells import logging_to
from studies.claims import check_claim
from studies.exhibits import check
from studies.local import Launcher
from studies.pace import Pace
from studies.plan import Plan, waiting
from studies.progress import Progress, behind, left
from studies.reading import read_study
from studies.recorded import Recorded, read_recorded
from studies.results import write_results
from studies.states import FAILED, OVER, TO_COME
from studies.study import find
from trainer import signals


@contextlib.contextmanager
def _spared() -> Iterator[None]:
    """Ignore SLURM's own signal, outside of `_stopping`: a server started in the block would end by it."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _of_job()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _of_job() -> list[signal.Signals]:
    return [signal.SIGUSR1] if "SLURM_JOB_ID" in os.environ else []


@_spared()
def run_study(name: str, given: argparse.Namespace) -> int:
    """Run a study's cells; returns 0 once all are over, 1 if some failed, 130 if it was stopped.

    Args:
        name: name of a shipped study, or path of its folder.
        given: values of the command's options: scale, seeds, workers, runs, results, dry_run, anew.

    Raises:
        ValueError: there is no such study, or a mistake in its files.
        UserError: one of its files is no YAML.
    """
    study = read_study(find(name))
    for exhibit in study.exhibits:  # a mistake in the report is told before hours of runs
        check(exhibit)
    for claim in study.claims:
        check_claim(claim)
    if not study.runs:
        folder = write_results(study, given.scale, [], given.runs, given.results, Recorded())
        say(f"{study.name} has no runs: cadence study report {name} computes all of it, into {folder}")
        return 0
    root = given.runs / study.name
    progress: Progress
    launcher = Launcher(root, given.workers, lambda *change: progress(*change), logging_to(given.logger))
    print("reading the configurations", file=sys.stderr)
    tables = given.results / study.name / given.scale
    plan = Plan(study, given.scale, given.seeds, root, launcher, Recorded() if given.anew else read_recorded(tables))
    states, pace = plan.states(), plan.pace(given.workers)
    if pulled := plan.pulled():
        say(f"{pulled} of {len(states)} cells stand in {tables} already: to run them again, add --anew")
    if further := plan.recorded.further(plan.cells):
        say(f"{len(further)} cells of more seeds stand there too, and stay")
    if gone := len(plan.recorded.rows.keys() - {cell.id for cell in plan.cells} - {*further}):
        say(f"{gone} cells that stand there are none of this study now, and leave the tables")
    if given.dry_run:
        _tell(plan, states, pace)
        return 0
    if given.launcher == "slurm":
        return _hand_in(plan, root, given)
    tables.mkdir(parents=True, exist_ok=True)  # a mistake in --results is told before hours of runs
    progress = Progress(len(states), len(states) - waiting(states), plan.naming.label, pace)
    with _stopping(launcher) as heard, progress:
        launcher.run(plan.waiting())
    folder = write_results(study, given.scale, plan.cells, root, given.results, plan.recorded)
    states = plan.states()
    counts = ", ".join(f"{states.count(found)} {found}" for found in dict.fromkeys(states))
    say(f"{study.name} at scale {given.scale}: {counts}; tables in {folder}")
    for cell, found in zip(plan.cells, states, strict=True):
        if found == FAILED:
            say(f"failed: {plan.naming.label(cell)}: see {root / cell.id}.log")
    if launcher.stopping:
        say(f"Go on with: {_again(name, given)}")
        if signal.SIGUSR1 in heard:
            queue_again()
        return signals.STOPPED
    return 0 if all(found in OVER for found in states) else 1


def _again(name: str, given: argparse.Namespace) -> str:
    """The command that goes on: all that names the cells and their folders, whatever began them."""
    words = ["cadence", "study", "run", name, "--scale", given.scale]
    words += ["--seeds", str(given.seeds)] if given.seeds else []
    words += ["--logger", given.logger] if given.logger else []
    for flag, folder in (("--runs", given.runs), ("--results", given.results)):
        words += [flag, str(folder)] if folder != Path(f"{flag[2:]}/studies") else []
    return shlex.join(words)


def _tell(plan: Plan, states: Sequence[str], pace: Pace) -> None:
    headings = [*plan.naming.columns, "state", "run directory"]
    table = []
    for cell, found in zip(plan.cells, states, strict=True):
        reached = behind(pace.reach(cell)) if found in TO_COME else ""
        table.append([*plan.naming.values(cell), found + reached, str(pace.root / cell.id)])
    lay(headings, table, left=range(len(headings)))
    say(f"{len(states) - waiting(states)} of {len(states)} cells are done; {left(pace)}")


def _hand_in(plan: Plan, root: Path, given: argparse.Namespace) -> int:
    from studies.slurm import job_folder, parameters, submit

    jobs = submit(plan.waiting(), root, "slurm", parameters(given.slurm), given.workers, logging_to(given.logger))
    say(f"{len(jobs)} of {len(plan.cells)} cells handed in, {given.workers} at once; output in {job_folder(root)}")
    say("once they have ended, the same command without --launcher writes the tables")
    return 0


@contextlib.contextmanager
def _stopping(launcher: Launcher) -> Iterator[list[int]]:
    """Ctrl-C, SIGTERM, SIGHUP and SLURM's own signal stop the cells, each with a checkpoint, and no more are started.

    The second time the cells end at once. Yields the numbers of the signals that came.
    """
    heard: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        heard.append(number)
        launcher.stop()

    before = {number: signal.signal(number, stop) for number in signals.numbers()}
    try:
        yield heard
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
