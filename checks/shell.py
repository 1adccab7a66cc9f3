"""Command lines in messages, quoted so that they work when they are pasted into a shell."""

import re
import shlex
from collections.abc import Iterable
from pathlib import Path

_ODD = re.compile(r"[^ -~\u00a0-\uffff]|\s{2}")  # what a terminal, or a message in one line, would not show as it is


def command_line(*words: str) -> str:
    """The words as one line of a shell, each quoted where it has to be."""
    return " ".join(map(_quoted, words))


def place(path: Path) -> str:
    """The path from the root on, for a command that is to work from any folder."""
    return str(path.absolute())


def without(words: Iterable[str], flags: Iterable[str]) -> list[str]:
    """The words of a command line without some options that take a value, and without their values."""
    kept, rest, gone = [], iter(words), tuple(flags)
    for word in rest:
        if word in gone:
            next(rest, None)
        elif word.partition("=")[0] not in gone:
            kept.append(word)
    return kept


def _quoted(word: str) -> str:
    if not _ODD.search(word):
        return shlex.quote(word)
    return "$'" + re.sub(r"[^!-&(-\[\]-~\u00a1-\uffff]", _escaped, word) + "'"


def _escaped(character: re.Match[str]) -> str:
    return "".join(f"\\x{byte:02x}" for byte in character[0].encode())
