"""`--out FIGURE`, where a command draws to."""

from pathlib import Path

from commands.errors import UserError

SUFFIXES = (".png", ".pdf", ".svg")


def figure_path(arguments: list[str], default: str) -> tuple[Path, list[str]]:
    """The figure's path, and the arguments without it.

    Raises:
        UserError: it has no known suffix, or its folder is not there.
    """
    rest, words, name = [], iter(arguments), default
    for word in words:
        flag, equals, value = word.partition("=")
        if flag != "--out":
            rest.append(word)
        elif not (name := value if equals else next(words, "")):
            raise UserError(f"--out needs the figure's path, e.g. --out {default}")
    path = Path(name)
    if path.suffix not in SUFFIXES:
        raise UserError(f"--out {name}: the figure must end in {', '.join(SUFFIXES)}: name it {default}")
    if not path.parent.is_dir():
        raise UserError(f"--out {name}: there is no folder {path.parent}: make it, or name another")
    return path, rest
