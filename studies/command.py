"""`cadence study`: list, show and run studies, and write their reports."""

import os
from pathlib import Path
from typing import Any

from commands import Call
from commands.arguments import Parser, nearest, one_of, whole_number
from commands.errors import UserError
from commands.tables.layout import lay, say
from studies import SCALES
from studies.cells import DASHBOARDS

ACTIONS = ("list", "show", "run", "report")
USAGE = "list | show NAME | run NAME [options] | report NAME ... [options]"
DESCRIPTION = """\
Run the cells of a study, and set what comes out beside the published numbers.
A study is a folder with sweep.yaml, a W&B sweep file, and study.yaml: what is
asked, the scales, the published table and the claims. NAME is a shipped one's,
or the path of a folder."""
EXAMPLES = """\
cadence study run mlp_initialization --scale laptop
cadence study report mlp_initialization"""


def run(call: Call) -> int:
    """Run one of the actions; returns the exit status."""
    given, words = _parser(call.command).words(call.arguments or ["--help"])
    action, names = (words[0], words[1:]) if words else ("", [])
    if action not in ACTIONS:
        hint = nearest(action, ACTIONS) or f"the actions are {', '.join(ACTIONS)}"
        raise UserError(f"cadence study {action}: {hint}")
    if action != "list" and (not names or (len(names) > 1 and action != "report")):
        raise UserError(f"cadence study {action} takes the name of a study: `cadence study list` shows all")
    try:
        if action == "list":
            return _list()
        if action == "show":
            return _show(names[0])
        if action == "run":
            from studies.running import run_study

            given.scale = given.scale or "laptop"
            return run_study(names[0], given)
        from studies.report.write import report
        from studies.study import find

        for page in report([find(name) for name in names], given.results, given.scale):
            say(f"written: {page}")
        return 0
    except ValueError as error:
        raise UserError(str(error)) from error


def _parser(command: str) -> Parser:
    parser = Parser(command, USAGE, DESCRIPTION, EXAMPLES)
    number: dict[str, Any] = {"type": lambda text: whole_number(text, 2)}
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    parser.value(
        "--scale",
        "laptop",
        type=one_of(SCALES),
        help="smoke, laptop or full; to run, laptop by default; to report, each that ran",
    )
    parser.value("--seeds", "3", **number, help="number of seeds, in place of the scale's")
    parser.value("--workers", "2", **number, default=cores, help="cells at a time; by default one a core")
    for flag, what in (("--runs", "the cells' run directories"), ("--results", "tables and reports")):
        usual = f"{flag[2:]}/studies"
        parser.value(flag, usual, type=Path, default=Path(usual), help=f"folder of {what}; {usual} by default")
    parser.value(
        "--logger", "wandb", type=one_of(DASHBOARDS), help=f"{' or '.join(DASHBOARDS)}, where cells' rows go, too"
    )
    parser.value(
        "--launcher", "local", type=one_of(("local", "slurm")), default="local", help="local (the default) or slurm"
    )
    parser.value(
        "--slurm",
        "'timeout_min=60 partition=gpu'",
        default="",
        help="what each job of --launcher slurm asks sbatch for",
    )
    parser.switch("--anew", help="also run the cells whose results stand in the tables, but not in --runs")
    parser.switch("--dry-run", help="only tell the cells, how far each is, and the time that is left")
    return parser


def _list() -> int:
    from studies.reading import read_study
    from studies.study import shipped

    studies = [read_study(folder) for folder in shipped().values()]
    table = [[study.name, study.title, ", ".join(study.scales)] for study in studies]
    lay(("study", "title", "scales"), table, left=(0, 1, 2))
    return 0


def _show(name: str) -> int:
    from studies.reading import read_study
    from studies.study import find

    study = read_study(find(name))
    say(f"{study.name}: {study.title}" + (f" ({study.source})" if study.source else ""))
    say(study.asks.strip())
    scales = [[scale, f"{len(study.cells(scale)):,}", given.cost] for scale, given in study.scales.items()]
    lay(("scale", "cells", "cost"), scales, left=(0, 2))
    if study.claims:
        claims = [[claim.says, claim.source, claim.scale] for claim in study.claims]
        lay(("claim", "source", "tested from scale"), claims, left=(0, 1, 2), broken=(0, 1))
    for file in sorted(study.folder.glob("*sweep.yaml")):
        say(f"as a W&B sweep: wandb sweep {file}")
    return 0
