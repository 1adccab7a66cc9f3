"""Mistakes of the user, told in at most three lines that name the field and the remedy."""

import os
import re
import sys

WIDTH = 300


class UserError(Exception):
    """A mistake in a configuration, a file or a dataset. Its message names what is wrong and how to mend it."""


def lines_of(message: str) -> list[str]:
    """A message as at most three lines, each at most 300 characters."""
    lines = [re.sub(r"\s+", " ", line).strip() for line in message.strip().splitlines()]
    return [line if len(line) <= WIDTH else line[: WIDTH - 3] + "..." for line in lines if line][:3]


def report(error: BaseException) -> int:
    """Tell of an error on standard error; returns the exit status.

    Raises:
        BaseException: the error itself, if it is a defect of ours and no mistake of the user's.
    """
    lightnings_exit = isinstance(error, SystemExit) and isinstance(error.__context__, KeyboardInterrupt)
    if isinstance(error, KeyboardInterrupt) or lightnings_exit:
        print("cadence: interrupted", file=sys.stderr)
        return 130
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 2
    if isinstance(error, BrokenPipeError):  # the reader has closed the pipe, as in `cadence list | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains when it flushes
        return 141
    if isinstance(error, OSError) and error.filename and error.strerror:
        print(f"cadence: {error.filename}: {error.strerror}: mend that, and run the command again", file=sys.stderr)
        return 2
    if not isinstance(error, UserError):
        raise error
    print("cadence: " + "\n  ".join(lines_of(str(error))), file=sys.stderr)
    return 2
