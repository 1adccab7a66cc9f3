"""What mkdocs.yml cannot say: pages that lie outside docs/, files that pages link to there, tables and the API's pages.

Links stay as GitHub reads them, relative to the file they stand in; the site gets a copy of what they point to. A table
of all experiments, of all cards, or of what Lightning ships, is made where a page has `TABLES`' marker for it.
"""

import os
import re
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

from commands.configuration import lightning_parts
from commands.configuration.shipped import header, shipped
from docs.pages import table

HOUSE = Path(__file__).resolve().parents[1]
OUTSIDE = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#|/)([^)#\s]+)")


def on_config(config: MkDocsConfig) -> None:
    """Put the cards behind their index, and the rooms' pages of API at the end of the navigation."""
    cards = [f"callbacks/{path.name}" for path in card_files()]
    nav = [
        {"Callbacks": [*part["Callbacks"], *cards]} if isinstance(part, dict) and "Callbacks" in part else part
        for part in config.nav or []
    ]
    config.nav = [*nav, {"API": [{room: f"api/{room}.md"} for room in rooms()]}]


def on_files(files: Files, config: MkDocsConfig) -> None:
    """Add the pages outside docs/, and one page of API for each room."""
    for name, at in OUTSIDE.items():
        files.append(File.generated(config, at, content=(HOUSE / name).read_text()))
    for room in rooms():
        files.append(File.generated(config, f"api/{room}.md", content=api(room)))


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put tables where their markers are, and turn links that leave docs/ into links of the site."""
    for marker, rows in TABLES.items():
        markdown = markdown.replace(marker, rows())
    at = page.file.src_uri
    source = next((name for name, target in OUTSIDE.items() if target == at), f"docs/{at}")

    def link(match: re.Match[str]) -> str:
        path = os.path.normpath(PurePosixPath(source).parent / match[1])
        target = OUTSIDE.get(path, path.removeprefix("docs/"))
        if (HOUSE / path).is_file() and files.get_file_from_path(target) is None:
            added = File.generated(config, target, abs_src_path=str(HOUSE / path), inclusion=InclusionLevel.INCLUDED)
            files.append(added)
        return os.path.relpath(target, PurePosixPath(at).parent)

    return LINK.sub(link, markdown)


def experiments() -> str:
    """A row for each shipped experiment, from its header, source by source."""
    told = {name: header(path) for name, path in shipped().items()}
    rows = [
        (
            f"<code>{name.replace('_', '_<wbr>')}</code>",
            row.source or "-",
            row.what.removesuffix("."),
            _linked(row.published),
            row.cost,
        )
        for name, row in sorted(told.items(), key=lambda item: item[1].source)
    ]
    return table(("experiment", "source", "what it runs", "published", "cost"), rows, numbers=False)


def cards() -> str:
    """A row for each card, from its title and its first sentence."""
    rows = []
    for path in card_files():
        title, _, text = path.read_text().removeprefix("# ").partition("\n\n")
        sentence = re.match(r".+?\.(?=\s|$)", text, re.DOTALL)
        rows.append((f"[{title}]({path.name})", " ".join(sentence[0].split()) if sentence else ""))
    return table(("card", "what it does"), rows, numbers=False)


def lightning() -> str:
    """A row for each name that Lightning and torch ship: works, or what to use instead."""
    tables = {"trainer": lightning_parts.TRAINER, **lightning_parts.BY_FIELD}
    rows = [
        (field, f"`{name}`", (part.instead or "works").replace("\n", " "))
        for field, parts in tables.items()
        for name, part in sorted(parts.items())
    ]
    return table(("where", "name", ""), rows, numbers=False)


TABLES = {"<!-- experiments -->": experiments, "<!-- cards -->": cards, "<!-- lightning -->": lightning}


def card_files() -> list[Path]:
    """The cards, by name."""
    return sorted((HOUSE / "docs/callbacks").glob("[!R]*.md"))


def _linked(text: str) -> str:
    """The text with the pages of docs/ that it names as links to them."""
    return re.sub(r"\bdocs/([\w/]+\.md)", r"[\1](\1)", text)


def rooms() -> list[str]:
    """Names of the packages at the top."""
    return sorted(path.parent.name for path in HOUSE.glob("*/__init__.py"))


def api(room: str) -> str:
    """The page of a room: its own docstring, then each public module."""
    modules = (path.relative_to(HOUSE).with_suffix("") for path in sorted((HOUSE / room).rglob("*.py")))
    names = [".".join(part for part in module.parts if part != "__init__") for module in modules]
    blocks = [f"::: {name}" for name in names[1:] if not name.rpartition(".")[2].startswith("_")]
    return "\n\n".join([f"::: {room}\n    options:\n      heading_level: 1\n      members: false", *blocks])
