"""`cadence fit`, `test` and the range tests, up to where torch is imported."""

from pathlib import Path

from commands import Call
from commands.arguments import Parser, path_of
from commands.configuration.checks import check_resumable
from commands.configuration.files import checked, read_config
from commands.configuration.shipped import config_paths, resolve_config_arguments
from commands.errors import UserError
from records.run_directory import RunDirectory
from trainer.process import settle


def run(call: Call) -> int:
    """Run `fit`, `test` or a range test; returns the exit status."""
    command = call.command
    parser = Parser(command, add_help=False)  # the help is jsonargparse's, with every option of the configuration
    parser.value("--run_dir", "RUN_DIR, the directory of a run", type=_directory)
    if command != "test":
        parser.value("--resume", "RUN_DIR, the directory of a run", type=_directory)
    if command == "fit":
        parser.switch("--without_rows")
    given, arguments = parser.split(call.arguments)
    resume = getattr(given, "resume", None)
    if getattr(given, "without_rows", False) and resume is None:
        raise UserError("--without_rows goes with --resume RUN_DIR alone: a new run has no rows to miss")
    if resume is not None:
        arguments = _resuming(command, arguments, resume, given.run_dir)
    elif given.run_dir is not None:
        arguments = [*arguments, "--run_dir", given.run_dir]
    if command == "test" and given.run_dir is not None and not config_paths(resolve_config_arguments(arguments)):
        arguments = ["--config", str(_open(given.run_dir).config()), *arguments]
    arguments = checked(arguments)
    settle()
    if command not in ("fit", "test"):
        from commands.range_tests import range_test

        return range_test(command, arguments, resume is not None, call.started)
    from commands.session import fit, test

    if command == "test":
        return test(arguments, call.started)
    return fit(arguments, resume is not None, call.started, given.without_rows)


def _resuming(command: str, arguments: list[str], directory: str, run_dir: str | None) -> list[str]:
    """The run's own configuration first, so that further options override it."""
    run = _open(directory)
    check_resumable(arguments)
    alone = "range_test" in read_config(run.config())
    if alone == (command == "fit"):
        what = "a range test alone" if alone else "a run of fit"
        raise UserError(f"--resume {directory}: that is {what}: go on with it by the command that began it")
    if alone and not run.kept_test(command.replace("-", "_")).is_file():
        raise UserError(f"--resume {directory}: no {command} was stopped there: begin one")
    if not run.resumable():
        raise UserError(f"--resume {directory}: the run has no checkpoints/last.ckpt yet: start it anew")
    if run_dir is not None:
        raise UserError("--run_dir cannot go with --resume: a resumed run goes on in its own directory")
    return ["--config", str(run.config()), *arguments, "--run_dir", directory]


def _directory(text: str) -> str:
    """A directory's path, which YAML must not read as no value."""
    path = str(path_of(text))
    return f"./{path}" if path.lower() == "null" else path


def _open(directory: str) -> RunDirectory:
    run = RunDirectory(Path(directory))
    try:
        run.open()
    except ValueError as error:
        raise UserError(str(error)) from error
    return run
