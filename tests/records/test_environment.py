"""Which commit a run is of, and with which packages."""

import subprocess
from importlib import metadata
from pathlib import Path

import pytest

from records import environment
from records.environment import commit


def test_what_runs_wrote_changes_no_commit(tmp_path: Path) -> None:
    def git(*words: str) -> str:
        name = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
        return subprocess.run(["git", *name, *words], cwd=tmp_path, check=True, capture_output=True, text=True).stdout

    assert commit(tmp_path) is None
    git("init", "-q")
    (tmp_path / "results").mkdir()
    files = [tmp_path / "code.py", tmp_path / "results" / "index.html"]
    for file in files:
        file.write_text("a")
    git("add", "-A")
    git("commit", "-qm", "first")
    head = git("rev-parse", "HEAD").strip()
    assert commit(tmp_path) == head
    files[1].write_text("b")
    (tmp_path / "notes.txt").touch()
    assert commit(tmp_path) == head
    files[0].write_text("b")
    assert commit(tmp_path) == f"{head}+"


def test_packages_are_read_once_in_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [f"{one.name}=={one.version}" for one in metadata.distributions() if one.name]
    assert environment.environment()["packages"] == sorted(found)
    monkeypatch.setattr(metadata, "distributions", lambda: pytest.fail("read again"))
    assert environment.environment()["packages"] == sorted(found)
