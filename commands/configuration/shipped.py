"""Configuration files: by path, or the shipped ones by name from any folder, and what these say of themselves."""

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise, takewhile
from pathlib import Path

from commands.errors import UserError
from records.files import expanded

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


@dataclass(frozen=True)
class Header:
    """The comment at the top of a shipped file, from which its row in lists and tables is made.

    Attributes:
        what: the first line: what the file runs.
        cost: time that one run takes.
        source: work that it is taken from; "" for none.
        published: figures that the source prints for it.
    """

    what: str = ""
    cost: str = ""
    source: str = ""
    published: str = "none"


def header(path: Path) -> Header:
    """What a file says of itself: its first comment line, and `# cost: ...` and its other fields in the lines below."""
    lines = [line.lstrip("# ") for line in takewhile(lambda line: line.startswith("#"), path.read_text().splitlines())]
    fields = [re.match(r"(cost|source|published): (.+)", line) for line in lines[1:]]
    return Header(lines[0] if lines else "", **{field[1]: field[2] for field in fields if field})


def shipped(kind: str = "experiments") -> dict[str, Path]:
    """Shipped files of one kind, by name."""
    return {path.stem: path for path in sorted((CONFIGS / kind).glob("*.yaml"))}


def find_config(name: str) -> Path:
    """The file that `-c NAME` means: a path, else a shipped experiment's name, else a path below the shipped `configs`.

    Raises:
        UserError: there is none; names the nearest.
    """
    path = expanded(name)
    if path.is_file():
        return path
    experiments = shipped()
    if name in experiments:
        return experiments[name]
    below = CONFIGS.parent / name if path.parts[:1] == ("configs",) else CONFIGS / name
    if not path.is_absolute() and below.is_file() and CONFIGS in below.resolve().parents:
        return below
    if path.exists():
        kind = "a directory" if path.is_dir() else "no regular file, and may be read once alone"
        raise UserError(f"-c {name}: that is {kind}: give a YAML file, or the name of a shipped experiment")
    near = difflib.get_close_matches(path.stem, experiments, n=3, cutoff=0.4)
    raise UserError(
        f"-c {name}: there is no such file, and no shipped experiment of that name\n"
        + (f"nearest: {', '.join(near)}; " if near else "")
        + "`cadence list` shows all"
    )


def resolve_config_arguments(arguments: list[str]) -> list[str]:
    """The arguments with each `-c NAME`, `-c=NAME` or `--config=NAME` as `--config` and the path of its file."""
    return list(_resolved(arguments))


def config_paths(arguments: list[str]) -> list[str]:
    """Paths of the configuration files on a resolved command line."""
    return [path for flag, path in pairwise(arguments) if flag == "--config"]


def _resolved(arguments: list[str]) -> Iterator[str]:
    words = iter(arguments)
    for word in words:
        flag, equals, name = word.partition("=")
        if flag in ("-c", "--config"):
            name = name if equals else next(words, "")
            if not name:
                raise UserError(f"{flag} needs a file or the name of a shipped experiment: `cadence list` shows them")
            yield from ("--config", str(find_config(name)))
        else:
            yield word
