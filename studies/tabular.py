"""One table, four ways to write it: Markdown, LaTeX, CSV, and entries for a page."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

LATEX = {"&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}",
         "^": r"\textasciicircum{}", "\\": r"\textbackslash{}", "±": r"$\pm$"}  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """One entry of a table.

    Attributes:
        text: what is printed.
        value: number behind it, by which the page sorts; None sorts by the text.
    """

    text: str
    value: float | None = None


@dataclass(frozen=True)
class Table:
    """Headings and rows of entries.

    Attributes:
        headings: title of each column.
        rows: entries of each row, one a column.
    """

    headings: Sequence[str]
    rows: Sequence[Sequence[Entry]]

    def numeric(self, column: int) -> bool:
        """Whether a column holds numbers, which end at the right."""
        return any(row[column].value is not None for row in self.rows)


def entry(value: Any) -> Entry:
    """An entry for a number, a text, a list, or nothing."""
    if value is None:
        return Entry("-")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return Entry(str(value))
    return Entry(f"{value:,}" if isinstance(value, int) else f"{value:.4g}", float(value))


def markdown(table: Table) -> str:
    """The table in Markdown."""
    rules = ["---:" if table.numeric(column) else "---" for column in range(len(table.headings))]
    lines = [list(table.headings), rules, *([cell.text for cell in row] for row in table.rows)]
    escaped = [[text.replace("|", r"\|").replace("\n", " ") for text in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in escaped) + "\n"


def latex(table: Table) -> str:
    """The table in LaTeX, for the package booktabs."""
    columns = "".join("r" if table.numeric(column) else "l" for column in range(len(table.headings)))
    lines = [[_tex(text) for text in table.headings], *([_tex(cell.text) for cell in row] for row in table.rows)]
    head, *body = [" & ".join(line) + r" \\" for line in lines]
    return "\n".join(
        [
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            head,
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def comma_separated(table: Table) -> str:
    """The table in CSV, numbers unrounded."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(table.headings)
    writer.writerows([cell.text if cell.value is None else repr(cell.value) for cell in row] for row in table.rows)
    return out.getvalue()


def _tex(text: str) -> str:
    return "".join(LATEX.get(letter, letter) for letter in text)
