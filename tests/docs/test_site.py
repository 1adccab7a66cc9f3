"""The site: its links lead where they lead on GitHub, and every room has a page."""

import re
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from mkdocs.config import load_config
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files

from docs import site
from docs.gradient_check import checked


@pytest.fixture
def config(tmp_path: Path) -> MkDocsConfig:
    plain = tmp_path / "mkdocs.yml"
    plain.write_text(f"site_name: x\ndocs_dir: {site.HOUSE}/docs\nhooks: [{site.HOUSE}/docs/site.py]\n")
    return load_config(str(plain))


def shown(markdown: str, at: str, config: MkDocsConfig, files: Files) -> str:
    page = SimpleNamespace(file=SimpleNamespace(src_uri=at))
    return config.plugins.on_page_markdown(markdown, page=page, config=config, files=files)


@pytest.mark.parametrize(
    ("at", "written", "expected"),
    [
        ("index.md", "(docs/design.md#speed)", "(design.md#speed)"),
        ("index.md", "(CONTRIBUTING.md)", "(contributing.md)"),
        ("design.md", "(../CONTRIBUTING.md)", "(contributing.md)"),
        ("callbacks/lr_range_test.md", "(../lr_finder_against_grid.md)", "(../lr_finder_against_grid.md)"),
        ("callbacks/lr_range_test.md", "(../../configs/loggers/wandb.yaml)", "(../configs/loggers/wandb.yaml)"),
        ("design.md", "(https://a.org/b.md) [y](#here)", "(https://a.org/b.md) [y](#here)"),
        ("design.md", "(nowhere.md)", "(nowhere.md)"),
    ],
)
def test_links_lead_where_they_lead_on_github(at: str, written: str, expected: str, config: MkDocsConfig) -> None:
    assert shown(f"[x]{written}", at, config, Files([])) == f"[x]{expected}"


def test_a_file_outside_docs_comes_along_and_a_lost_one_does_not(config: MkDocsConfig) -> None:
    files = Files([])
    picture = checked("png").relative_to(site.HOUSE).as_posix()
    shown(f"![x](../{picture}) [y](../nowhere.png)", "gradient_check.md", config, files)
    assert list(files.src_uris) == [picture]


def test_tables_stand_where_their_markers_are(config: MkDocsConfig) -> None:
    page = (site.HOUSE / "docs/callbacks/README.md").read_text()
    built = shown(page, "callbacks/README.md", config, Files([]))
    assert "<!--" not in built and "| [TimeToTarget](time_to_target.md) | Epochs, steps, samples" in built
    assert "| <code>digits_<wbr>mixup</code> | - |" in shown(
        "<!-- experiments -->", "experiments.md", config, Files([])
    )
    assert all(
        any(marker in path.read_text() for path in (site.HOUSE / "docs").rglob("*.md")) for marker in site.TABLES
    )


@pytest.mark.parametrize("row", site.cards().splitlines()[2:])
def test_a_card_s_first_sentence_says_what_it_does(row: str) -> None:
    title, sentence = row.strip("| ").split(" | ")
    assert re.fullmatch(r"\[.+\]\(\w+\.md\)", title)
    assert 60 < len(sentence) <= 200 and sentence.endswith(".")


def test_every_room_is_a_page_of_public_modules(config: MkDocsConfig) -> None:
    files = Files([])
    config.plugins.on_files(files, config=config)
    shown = config.plugins.on_config(config).nav[-1]["API"]
    pages = [f"api/{room}.md" for room in site.rooms()]
    assert [page for entry in shown for page in entry.values()] == pages
    assert {*pages} < {*files.src_uris}
    told = site.api("datamodules").split()
    assert {"datamodules", "datamodules.loaders", "datamodules.transforms"} < {*told}
    assert not [name for name in told if "._" in name]


def test_make_lists_every_target_and_gives_uv_the_system_s_certificates(tmp_path: Path) -> None:
    probe = tmp_path / "Makefile"
    probe.write_text(f"include {site.HOUSE}/Makefile\nprobe:\n\t@echo UV_SYSTEM_CERTS=$$UV_SYSTEM_CERTS\n")
    told = [
        subprocess.run(["make", *words], cwd=site.HOUSE, capture_output=True, text=True, check=True).stdout
        for words in ([], ["-f", str(probe), "probe"])
    ]
    listed = {line.split()[0] for line in told[0].splitlines() if line.startswith("  ")}
    phony = (site.HOUSE / "Makefile").read_text().partition(".PHONY: ")[2].partition("\n")[0].split()
    assert listed == set(phony)
    assert told[1] == "UV_SYSTEM_CERTS=true\n"


def test_nothing_of_the_site_is_loaded_from_elsewhere() -> None:
    theme = yaml.safe_load((site.HOUSE / "mkdocs.yml").read_text())["theme"]
    assert theme["font"] is False
