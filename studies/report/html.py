"""The report as one page: texts, tables, figures as inline SVG, a script for sorting and enlarging, no network."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup

from figures.svg import svg
from studies.claims import Claim, Verdict
from studies.exhibits.exhibit import Exhibit, Found
from studies.table import SEED
from studies.tabular import Table

HERE = Path(__file__).parent


@dataclass(frozen=True)
class _Shown:
    """An exhibit with its parts as HTML."""

    title: str
    caption: str
    tables: Sequence[Table]
    svg: Markup | None
    picture: str | None
    html: Markup | None


def study_page(
    found: Found,
    exhibits: Sequence[Exhibit],
    verdicts: Sequence[tuple[Claim, Verdict]],
    facts: Sequence[tuple[str, str]],
    lost: Table,
    cells: Table,
    common: Sequence[tuple[str, str]],
) -> str:
    """The page of one study. Whatever a run or a study's file says is escaped.

    Args:
        found: what the study found.
        exhibits: tables, figures and texts, in their order.
        verdicts: each claim with its verdict.
        facts: names and values of what was run.
        lost: table of the cells without a result.
        cells: table of all cells.
        common: parameters that are the same in all cells.
    """
    return _render(
        "study.html.j2", title=found.study.title, study=found.study, asks=_markdown(found.study.asks),
        notes=[_line(note) for note in found.study.notes], facts=facts,
        command=_again(found), verdicts=verdicts,
        exhibits=[_shown(exhibit, f"f{place}") for place, exhibit in enumerate(exhibits)],
        lost=lost, cells=cells, common=common,
    )  # fmt: skip


def index_page(lines: Sequence[Mapping[str, Any]]) -> str:
    """The page over all studies.

    Args:
        lines: `href`, `title`, `scale`, `cells` and `counts` (of each verdict) of each report.
    """
    return _render("index.html.j2", title="Studies", lines=lines)


def _again(found: Found) -> str:
    """The command that makes these cells again, which may be those of several commands."""
    command, cells = f"cadence study run {found.study.name} --scale {found.scale}", len(found.rows)
    seeds = len({row.get(SEED) for row in found.rows})
    if len(found.study.cells(found.scale)) == cells or len(found.study.cells(found.scale, seeds)) != cells:
        return command
    return f"{command} --seeds {seeds}"


def _render(template: str, **content: Any) -> str:
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    style, script = (Markup((HERE / name).read_text()) for name in ("page.css", "page.js"))
    return environment.get_template(template).render(style=style, script=script, **content)


def _shown(exhibit: Exhibit, name: str) -> _Shown:
    drawn = None
    if exhibit.figure is not None:
        drawing = svg(exhibit.figure, name)
        drawn = Markup(drawing.replace("<svg", f'<svg role="img" aria-label="{Markup.escape(exhibit.title)}"', 1))
    picture = b64encode(exhibit.picture).decode() if exhibit.picture is not None else None
    text = _markdown(exhibit.text) if exhibit.text else None
    return _Shown(exhibit.title, exhibit.caption, exhibit.tables, drawn, picture, text)


def _line(text: str) -> Markup:
    return Markup(MarkdownIt("commonmark", {"html": False}).renderInline(text))


def _markdown(text: str) -> Markup:
    """Markdown as HTML; HTML inside it is shown, not obeyed, and no link leads to a script."""
    return Markup(MarkdownIt("commonmark", {"html": False}).enable("table").render(text))
