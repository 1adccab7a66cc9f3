"""Columns that study.yaml names, against those that there are: a misspelt one must not look like a result."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from commands.arguments import nearest

# Options whose columns tell settings apart, or pick cells by their values; and those that name what is measured.
SETTINGS = ("rows", "by", "of", "each", "only", "where", "a", "b", "rates", "found")
METRICS = ("metric", "metrics")


def unknown(options: Mapping[str, Any], names: Collection[str], known: Collection[str]) -> str | None:
    """What to tell of the first column that there is not; None if there are all.

    Args:
        options: options by name.
        names: names of the options that hold columns, alone, in a list, or as keys of a mapping.
        known: columns that there are.
    """
    for option, column in _named(options, names):
        if column not in known:
            return f"{option}: no cell has {column}: {nearest(column, known) or 'check its name'}"
    return None


def _named(options: Mapping[str, Any], names: Collection[str]) -> Iterator[tuple[str, str]]:
    """Each option of these names, with each column in it."""
    for option in names:
        given = options.get(option)
        columns = [given] if isinstance(given, str) else given if isinstance(given, Collection) else ()
        yield from ((option, str(column)) for column in columns)
