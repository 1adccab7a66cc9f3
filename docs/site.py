"""What mkdocs.yml cannot say: pages that lie outside docs/, files that pages link to there, and the API's pages.

Links stay as GitHub reads them, relative to the file they stand in; the site gets a copy of what they point to.
"""

import os
import re
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

HOUSE = Path(__file__).resolve().parents[1]
OUTSIDE = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#|/)([^)#\s]+)")


def on_config(config: MkDocsConfig) -> None:
    """Put the cards behind their index, and the rooms' pages of API at the end of the navigation."""
    cards = sorted(f"callbacks/{path.name}" for path in (HOUSE / "docs/callbacks").glob("[!R]*.md"))
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
    """Turn links that leave docs/ into links of the site."""
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


def rooms() -> list[str]:
    """Names of the packages at the top."""
    return sorted(path.parent.name for path in HOUSE.glob("*/__init__.py"))


def api(room: str) -> str:
    """The page of a room: its own docstring, then each public module."""
    modules = (path.relative_to(HOUSE).with_suffix("") for path in sorted((HOUSE / room).rglob("*.py")))
    names = [".".join(part for part in module.parts if part != "__init__") for module in modules]
    blocks = [f"::: {name}" for name in names[1:] if not name.rpartition(".")[2].startswith("_")]
    return "\n\n".join([f"::: {room}\n    options:\n      heading_level: 1\n      members: false", *blocks])
