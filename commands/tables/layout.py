"""How every table is printed, whatever stands in it: with rules or without, for a terminal, and in Markdown."""

import sys
from collections.abc import Collection, Sequence

from commands.errors import printable

UNBROKEN = 10_000  # columns of a terminal in which no line breaks

Rows = Sequence[Sequence[str]]


def say(line: str, form: str = "table") -> None:
    """Print a line between tables; `form` as for `lay`."""
    print(f"\n{line}\n" if form == "markdown" else line)


def lay(
    headings: Sequence[str],
    rows: Rows,
    left: Collection[int] = (0,),
    *,
    form: str = "table",
    broken: Collection[int] = (),
) -> None:
    """Print a table, as wide as it needs: a number that breaks into two lines cannot be read.

    Args:
        headings: titles of the columns.
        rows: cells of each row, as texts.
        left: places of the columns that hold text, which begins at the left; numbers end at the right.
        form: table (with rules), plain (without, for many columns) or markdown.
        broken: places of the columns whose text may break, so that the table fits the terminal.
    """
    if form == "markdown":
        _markdown(headings, rows, left)
    else:
        _rich(headings, rows, left, form == "table", broken)


def as_size(value: int) -> str:
    """A number of bytes in the unit that leaves it below 1,000."""
    amount, unit = float(value), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{amount:.4g} {unit}"


def _markdown(headings: Sequence[str], rows: Rows, left: Collection[int]) -> None:
    print(f"| {' | '.join(headings)} |")
    print(f"|{'|'.join('---' if column in left else '---:' for column in range(len(headings)))}|")
    for row in rows:
        print(f"| {' | '.join(printable(cell).replace('*', chr(92) + '*') for cell in row)} |")


def _rich(headings: Sequence[str], rows: Rows, left: Collection[int], ruled: bool, broken: Collection[int]) -> None:
    from rich.box import HEAVY_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    # as Text, since rich reads [markup] and :emoji: in a string
    table = Table(box=HEAVY_HEAD if ruled else None, pad_edge=ruled)
    for heading in headings:
        table.add_column(Text(printable(heading)))
    for place, column in enumerate(table.columns):
        column.justify = "left" if place in left else "right"
        column.no_wrap = place not in broken
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    console = Console(highlight=False, width=None if broken else UNBROKEN, file=sys.stdout)
    console.print(table, crop=False)
