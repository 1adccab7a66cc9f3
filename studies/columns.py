"""Columns that study.yaml names, against those that there are: a misspelt one must not look like a result."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from commands.arguments import nearest

APART = ("rows", "by", "of", "each")  # options whose columns tell settings apart
VALUES = ("only", "where", "a", "b", "rates", "found")  # options that pick cells by the values of columns
METRICS = ("metric", "metrics")


def check_columns(what: str, options: Mapping[str, Any], settings: Collection[str], metrics: Collection[str]) -> None:
    """Check that there are the columns that an entry names.

    Args:
        what: name of the entry in messages.
        options: options by name.
        settings: columns that may tell cells apart.
        metrics: columns that cells may be judged by; where there are none, nothing has been measured yet.

    Raises:
        ValueError: there is no such column.
    """
    for names, known in ((APART + VALUES, settings), (METRICS, metrics)):
        for option, column in _named(options, names):
            if known and column not in known:
                raise ValueError(
                    f"{what}: {option}: no cell has {column}: {nearest(column, known) or 'check its name'}"
                )


def _named(options: Mapping[str, Any], names: Collection[str]) -> Iterator[tuple[str, str]]:
    """Each option of these names, with each column in it."""
    for option in names:
        given = options.get(option)
        columns = [given] if isinstance(given, str) else given if isinstance(given, Collection) else ()
        yield from ((option, str(column)) for column in columns)
