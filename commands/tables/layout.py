"""How a table is laid out in a terminal and in Markdown, whatever stands in it."""

import sys
from collections.abc import Sequence

Rows = Sequence[Sequence[str]]


def say(line: str, form: str) -> None:
    """A line between tables; `form` is table or markdown."""
    print(f"\n{line}\n" if form == "markdown" else line)


def lay(form: str, headings: Sequence[str], rows: Rows, left: Sequence[int]) -> None:
    """Print a table.

    Args:
        form: table or markdown.
        headings: of its columns.
        rows: of texts.
        left: columns that are set to the left; the others are numbers.
    """
    (_markdown if form == "markdown" else _rich)(headings, rows, left)


def as_size(value: int) -> str:
    """Bytes in the unit that goes with them."""
    amount, unit = float(value), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{amount:.4g} {unit}"


def _markdown(headings: Sequence[str], rows: Rows, left: Sequence[int]) -> None:
    print(f"| {' | '.join(headings)} |")
    print(f"|{'|'.join('---' if column in left else '---:' for column in range(len(headings)))}|")
    for row in rows:
        print(f"| {' | '.join(cell.replace('*', chr(92) + '*') for cell in row)} |")


def _rich(headings: Sequence[str], rows: Rows, left: Sequence[int]) -> None:
    """A table as wide as it needs: a wrapped number cannot be read."""
    from rich.console import Console
    from rich.table import Table

    table = Table(*headings)
    for place, column in enumerate(table.columns):
        column.justify, column.no_wrap = "left" if place in left else "right", True
    for row in rows:
        table.add_row(*(cell.replace("[", r"\[") for cell in row))
    console = Console(highlight=False, width=10_000, file=sys.stdout)
    console.print(table, crop=False)
