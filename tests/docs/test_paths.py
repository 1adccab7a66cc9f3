"""Files that the documentation names are there, and every room has its line where the house is shown."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

HOUSE = Path(__file__).resolve().parents[2]
PAGES = [
    HOUSE / "README.md",
    HOUSE / "CONTRIBUTING.md",
    HOUSE / "CHANGELOG.md",
    *sorted((HOUSE / "docs").rglob("*.md")),
]
ROOMS = sorted(path.parent.name for path in HOUSE.glob("*/__init__.py"))
# folder/file.py and the like; not a part of an address, of a run directory, or of a name that the reader chooses.
MENTIONED = re.compile(r"(?<![\w/:.<>*-])((?:\.\./)*[\w.-]+/[\w./-]*\w\.(?:py|md|yaml|yml|csv|png|txt|toml|lock))\b")
CHOSEN = re.compile(r"(^|[/_])NAME\b|^(runs|checkpoints|site|loggers|cluster|my_package|gradient_check)/")

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(HOUSE)))


def mentioned(text: str) -> list[str]:
    """Paths of files with a folder before them, placeholders apart."""
    return [path for path in MENTIONED.findall(text) if not CHOSEN.search(path)]


@every_page
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    lost = [
        path for path in mentioned(page.read_text()) if not any((at / path).is_file() for at in (HOUSE, page.parent))
    ]
    assert not lost


def test_what_counts_as_naming_a_file() -> None:
    text = "`trainer/epoch_loop.py`, [a](../results/a.png), callbacks/NAME.py, runs/x/config.yaml, https://x.org/a/b.md"
    assert mentioned(text) == ["trainer/epoch_loop.py", "../results/a.png"]


@pytest.mark.parametrize("page", ["README.md", "docs/design.md"])
def test_the_house_is_shown_room_by_room(page: str) -> None:
    shown = re.findall(r"^  (\w+)/  ", (HOUSE / page).read_text(), re.MULTILINE)
    assert sorted({*shown} & {*ROOMS}) == ROOMS
    assert all((HOUSE / name).is_dir() for name in shown)


def test_the_citation_is_of_this_version() -> None:
    project = tomllib.loads((HOUSE / "pyproject.toml").read_text())["project"]
    cited = yaml.safe_load((HOUSE / "CITATION.cff").read_text())
    assert (cited["version"], cited["license"]) == (project["version"], project["license"])
    assert f"## {cited['version']} - " in (HOUSE / "CHANGELOG.md").read_text()
