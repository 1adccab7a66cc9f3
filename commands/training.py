"""`cadence fit`, the range tests and the evaluations of a run, up to where torch is imported."""

import json
import sys
from importlib import import_module
from pathlib import Path

from checks.shell import command_line, place
from commands import Call
from commands.arguments import Parser, one_of, path_of
from commands.configuration.files import checked, read_config
from commands.configuration.parent import checkpoint_of
from commands.configuration.shipped import config_paths, resolve_config_arguments
from commands.configuration.signatures import EVALUATIONS
from commands.errors import UserError, notice
from commands.requeueing import goes_on_with, names_its_run, queue_again
from records.generation import ELSEWHERE, TakenOver
from records.run_directory import RunDirectory
from trainer.process import flush_denormals, importing, settle
from trainer.signals import STOPPED, RunStopped, end_process_group, interruptible, job_ends


def run(call: Call) -> int:
    """Run `fit`, a range test or an evaluation; returns the exit status. A signal ends it at any time, and is told."""
    try:
        with interruptible():
            status = _run(call)
        end_process_group()
        return status
    except RunStopped as stop:
        if stop.agreed:
            end_process_group()
        if not stop.told:
            print("cadence: stopped before anything was done: run the command again", file=sys.stderr)
        if not job_ends() or not call.alone:
            return STOPPED
        if not stop.first:  # the run's first process asks, and is left the time to
            return 0
        queue_again(call.command in EVALUATIONS or names_its_run(call.arguments))
        return STOPPED
    except TakenOver as over:
        notice(str(over))
        return ELSEWHERE


def _run(call: Call) -> int:
    command = call.command
    if call.arguments in (["--help"], ["-h"]):
        from commands.configuration.help import help_of

        print(help_of(command))
        return 0
    parser = Parser(command, add_help=False)  # with further words, the help is jsonargparse's
    parser.value("--run_dir", "RUN_DIR, the directory of a run", type=_directory)
    if command not in EVALUATIONS:
        parser.value("--resume", "RUN_DIR, the directory of a run", once=True, type=_directory)
        parser.value("--from", "RUN_DIR, the directory of a run", once=True, type=_directory)
        parser.value("--at", "best or last, a checkpoint of the run", once=True, type=one_of(("best", "last")))
    if command == "fit":
        parser.switch("--without_rows")
    given, arguments = parser.split(call.arguments)
    resume = getattr(given, "resume", None)
    if resume is None and command not in EVALUATIONS and (run := goes_on_with(given.run_dir)) is not None:
        if (answer := _answer(command, run)).is_file():
            print(f"cadence: the test had ended, and its answer is in {answer}")
            return 0
        call = Call(command, ["--resume", str(run.root)], call.started, call.alone)
        (given, arguments), resume = parser.split(call.arguments), str(run.root)
    elif resume is not None:
        RunDirectory(Path(resume)).take_over()
    if getattr(given, "without_rows", False) and resume is None:
        raise UserError("--without_rows goes with --resume RUN_DIR alone: a new run has no rows to miss")
    parent, at = getattr(given, "from", None), getattr(given, "at", None)
    if inner := [word for word in arguments if word.startswith("--from.")]:
        raise UserError(f"{inner[0]}: say from which run by --from RUN_DIR, and from which checkpoint by --at")
    if at is not None and parent is None:
        raise UserError("--at goes with --from RUN_DIR alone: say from which run")
    if parent is not None:
        arguments = _beginning(arguments, parent, at, resume)
    if resume is not None:
        arguments = _resuming(command, arguments, resume, given.run_dir)
    elif given.run_dir is not None:
        arguments = [*arguments, f"--run_dir={given.run_dir}"]
    if command in EVALUATIONS and given.run_dir is not None and not config_paths(resolve_config_arguments(arguments)):
        run = _open(given.run_dir)
        if (began := run.begun_with().get("command", "fit")) != "fit":
            raise UserError(f"--run_dir {given.run_dir}: that is a run of {began}, which keeps no weights to {command}")
        arguments = ["--config", str(run.config()), *arguments]
    arguments = checked(arguments, command, parser)
    settle()
    with importing():
        flush_denormals()
        import_module("commands.session")
    if command in EVALUATIONS:
        from commands.evaluating import evaluate

        return evaluate(command, arguments, call.started)
    if command != "fit":
        from commands.range_tests import range_test

        return range_test(call, arguments, resume is not None)
    from commands.session import fit

    return fit(call, arguments, resume is not None, given.without_rows)


def _resuming(command: str, arguments: list[str], directory: str, run_dir: str | None) -> list[str]:
    """The run's own configuration first, so that further options override it."""
    run = _open(directory)
    arguments = resolve_config_arguments(arguments)
    own = read_config(run.config())
    began = run.begun_with().get("command") or (command if ("range_test" in own) == (command != "fit") else None)
    if began is None:
        what = "a run of fit" if command != "fit" else "a range test alone"
        raise UserError(f"--resume {directory}: that is {what}: go on with it by the command that began it")
    if began != command:
        go_on = command_line("cadence", began, "--resume", place(run.root))
        raise UserError(f"--resume {directory}: that is a run of {began}: go on with it by\n{go_on}")
    if command == "fit" and run.result.is_file() and not run.last.is_file():
        again = command_line("cadence", "fit", "-c", place(run.config()))
        raise UserError(
            f"--resume {directory}: the run has ended, and has no last.ckpt to go on from\nonce more: {again}"
        )
    if command != "fit" and (answer := _answer(command, run)).is_file():
        raise UserError(f"--resume {directory}: that test has ended, and its answer is in {answer}: begin another")
    if run_dir is not None or any("run_dir" in read_config(Path(path)) for path in config_paths(arguments)):
        raise UserError("run_dir cannot go with --resume, as a run goes on in its own directory: leave it out")
    return ["--config", str(run.config()), *arguments, f"--run_dir={directory}"]


def _answer(command: str, run: RunDirectory) -> Path:
    """The file in which a range test leaves its answer; `fit` leaves none of that name."""
    return run.root / f"{command.replace('-', '_')}.json"


def _beginning(arguments: list[str], directory: str, at: str | None, resume: str | None) -> list[str]:
    """The parent's configuration first, so that further options override it."""
    if resume is not None:
        raise UserError("--from begins a new run, and --resume goes on with one: leave one of them out")
    run = RunDirectory(Path(directory))
    at, _ = checkpoint_of(run, at)
    parent = {"run": directory, "at": at, "step": None, "sha256": None}  # all of it: the run may have a parent itself
    return ["--config", str(run.config()), *arguments, f"--from={json.dumps(parent)}"]


def _directory(text: str) -> str:
    return str(path_of(text))


def _open(directory: str) -> RunDirectory:
    run = RunDirectory(Path(directory))
    try:
        run.open()
    except ValueError as error:
        raise UserError(str(error)) from error
    return run
