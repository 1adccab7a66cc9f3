"""Pages that a script makes: NAME.template.md has the prose, NAME.py the values, and both together give NAME.md."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from string import Template


def page(script: Path, values: Mapping[str, str]) -> str:
    """The page of a script, as Markdown.

    Raises:
        KeyError: the template names a value that is missing.
    """
    return Template(script.with_suffix(".template.md").read_text()).substitute(values)


def write(script: Path, values: Mapping[str, str]) -> None:
    """Write the page of a script into the script's folder."""
    target = script.with_suffix(".md")
    target.write_text(page(script, values))
    print(f"wrote {target}")


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], numbers: bool = True) -> str:
    """A Markdown table: the first column to the left, the others to the right where they hold numbers."""
    rule = ["---", *["---:" if numbers else "---"] * (len(headings) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (headings, rule, *rows))
