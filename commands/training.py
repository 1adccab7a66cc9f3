"""The commands that build a Trainer, up to the point where anything heavy is imported."""

from pathlib import Path

from commands.configuration.checks import check_given, check_resumable
from commands.configuration.files import read_config
from commands.configuration.shipped import config_paths, resolve_config_arguments
from commands.errors import UserError
from records.run_directory import RunDirectory
from trainer.process import settle


def run(command: str, arguments: list[str], started: float) -> int:
    """Run `fit`, `test` or a range test; returns the exit status.

    Args:
        command: which.
        arguments: the command line behind it.
        started: `time.monotonic()` when the process began, for the record.
    """
    resume = None
    if command != "test" and (resume := _value(arguments, "--resume")) is not None:
        arguments = _resuming(command, arguments, resume)
    elif command == "test" and (tested := _value(arguments, "--run_dir")) is not None:
        configured = any(word.partition("=")[0] in ("-c", "--config") for word in arguments)
        arguments = arguments if configured else ["--config", str(_open(tested).config()), *arguments]
    arguments = resolve_config_arguments(arguments)
    check_given(arguments, [(path, read_config(Path(path))) for path in config_paths(arguments)])
    settle()
    if command not in ("fit", "test"):
        from commands.range_tests import range_test

        return range_test(command, arguments, resume is not None, started)
    from commands.session import fit, test

    return test(arguments, started) if command == "test" else fit(arguments, resume is not None, started)


def _resuming(command: str, arguments: list[str], directory: str) -> list[str]:
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
    if _value(arguments, "--run_dir") is not None:
        raise UserError("--run_dir cannot go with --resume: a resumed run goes on in its own directory")
    return ["--config", str(run.config()), *_without(arguments, "--resume"), "--run_dir", directory]


def _open(directory: str) -> RunDirectory:
    run = RunDirectory(Path(directory))
    try:
        run.open()
    except ValueError as error:
        raise UserError(str(error)) from error
    return run


def _value(arguments: list[str], flag: str) -> str | None:
    for place, word in enumerate(arguments):
        if word == flag:
            if place + 1 == len(arguments):
                raise UserError(f"{flag} needs a run's directory")
            return arguments[place + 1]
        if word.startswith(flag + "="):
            return word.partition("=")[2]
    return None


def _without(arguments: list[str], flag: str) -> list[str]:
    place = next(i for i, word in enumerate(arguments) if word.partition("=")[0] == flag)
    return arguments[:place] + arguments[place + (1 if "=" in arguments[place] else 2) :]
