"""Mistakes of the user, told in at most three lines that name the field and the remedy."""

import re
import sys

from checks.references import withheld

WIDTH = 300
LONGEST_WORD = 200

# gloo's, NCCL's and torch's words for it
_PEER_GONE = re.compile(r"(?s)(gloo|NCCL|TCPStore).*(by peer|remote process exited|Broken pipe|was the remote)")
_PEER_SILENT = re.compile(
    r"Application timeout caused pair closure|Timed out waiting \d+ms for (recv|send) operation|"
    r"(?s:NCCL.*(?:caught collective operation timeout|watchdog.*timeout))|wait timeout after \d+ms"
)


class UserError(Exception):
    """A mistake in a configuration, a file or a dataset. Its message names what is wrong and how to mend it."""


def lines_of(message: str) -> list[str]:
    """A message as at most three lines, each at most 300 characters, without any that a terminal obeys."""
    lines = [printable(re.sub(r"\s+", " ", line).strip()) for line in withheld(message).strip().split("\n")]
    long = re.compile(rf"\S{{{LONGEST_WORD},}}")
    lines = [long.sub(lambda word: f"{word[0][:60]}...{word[0][-20:]}", line) for line in lines]
    return [line if len(line) <= WIDTH else line[: WIDTH - 3] + "..." for line in lines if line][:3]


def printable(text: str) -> str:
    """The text with control characters, line ends among them, written out (\\x1b): data must not steer a terminal."""
    shown = (one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
    return "".join(shown)


def notice(text: str) -> None:
    """Say on standard error what is no mistake but may not be meant."""
    print("cadence: " + "\n  ".join(lines_of(text)), file=sys.stderr)


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
    if isinstance(error, RuntimeError) and _PEER_GONE.search(str(error)):
        notice("another process of the run has ended, and this one with it: what that one said is the reason")
        return 1
    if isinstance(error, RuntimeError) and _PEER_SILENT.search(str(error)):
        notice(
            "another process of the run was silent for longer than the timeout of trainer.strategy, and this one ends: "
            "look into that one's log, or raise the timeout"
        )
        return 1
    from commands.their_code import told_of_theirs

    if lines := told_of_theirs(error):
        where = f"an error in your code{_in_process()} (--debug shows the whole traceback)"
        print(f"cadence: {where}\n  " + "\n  ".join(lines), file=sys.stderr)
        return 1
    if isinstance(error, OSError) and error.filename and error.strerror:
        where = printable(str(error.filename))
        print(f"cadence: {where}: {error.strerror}: mend that, and run the command again", file=sys.stderr)
        return 2
    if not isinstance(error, UserError):
        raise error
    print("cadence: " + "\n  ".join(lines_of(str(error))), file=sys.stderr)
    return 2


def _in_process() -> str:
    """Which of several processes this is, for a message that each of them may print; empty where there is one."""
    distributed = getattr(sys.modules.get("torch"), "distributed", None)  # torch is loaded, or there is one process
    if distributed is None or not distributed.is_available() or not distributed.is_initialized():
        return ""
    count = distributed.get_world_size()
    return f", in process {distributed.get_rank()} of {count}" if count > 1 else ""
