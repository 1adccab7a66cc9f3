"""A line that says that a command is loading: torch and Lightning take seconds, in which nothing else would be seen."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from types import ModuleType
from typing import TextIO

HEAVY = ("torch", "pytorch_lightning", "jsonargparse", "matplotlib")  # the first one imported takes a second or more
RANKS = ("LOCAL_RANK", "SLURM_PROCID")


class _Notice(MetaPathFinder):
    """Finds no module; says once that the first heavy one is being imported."""

    def __init__(self, command: str, stream: TextIO) -> None:
        self.command, self.stream, self.said = command, stream, False

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        """Say it, and leave the module to Python's own finders."""
        if name in HEAVY and not self.said:
            self.said = True
            print(f"cadence {self.command}: loading ...", file=self.stream, flush=True)


@contextmanager
def announced(command: str, arguments: Sequence[str], trains: bool) -> Iterator[None]:
    """Say that the command is loading, if it loads something heavy within the block.

    A terminal is told on standard error. Otherwise only a command that trains says it, in its log on standard output:
    what others print there is a result, and what stands on standard error is an error.

    Args:
        command: name of the command.
        arguments: words behind it.
        trains: whether the command trains, so that its output is a log.
    """
    printed = any(word == "-h" or "help" in word or word.startswith("--print_config") for word in arguments)
    first = all(os.environ.get(rank, "0") == "0" for rank in RANKS)
    stream = sys.stderr if sys.stderr.isatty() else sys.stdout if trains and not printed else None
    if stream is None or not first or "torch" in sys.modules:
        yield
        return
    notice = _Notice(command, stream)
    sys.meta_path.insert(0, notice)
    try:
        yield
    finally:
        sys.meta_path.remove(notice)
