"""What a run writes has the permissions that the user's umask gives, and so has the cache of datasets."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from datamodules.sources._cache import write_folder
from tests.datamodules.sources import tiny

RUN = [
    "--model", "MLP", "--model.hidden_sizes", "[8]", "--data", "Digits", "--optimizer", "SGD", "--optimizer.lr", "0.1",
    "--trainer.max_steps", "4", "--trainer.log_every_n_steps", "2", "--trainer.enable_progress_bar", "false",
    "--trainer.callbacks+=LRRangeTest", "--trainer.callbacks.steps", "40", "--trainer.callbacks.seeds", "1",
]  # fmt: skip


@pytest.fixture(params=[0o002, 0o027, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def wrong(root: Path, umask: int) -> list[str]:
    """Files and folders with other permissions than any new one would have."""
    found = []
    for path in [root, *root.rglob("*")]:
        mode, usual = path.lstat().st_mode & 0o777, (0o777 if path.is_dir() else 0o666) & ~umask
        if mode != usual and not path.is_symlink():
            found.append(f"{path}: {mode:o} instead of {usual:o}")
    return found


def test_a_run_keeps_the_umask(cadence, umask: int) -> None:
    assert cadence("fit", *RUN, "--run_dir", "a/run") == 0
    assert cadence("test", "--run_dir", "a/run") == 0
    assert len(list(Path("a/run").rglob("*"))) > 10 and wrong(Path("a"), umask) == []


def test_the_cache_keeps_the_umask(tmp_path: Path, umask: int) -> None:
    write_folder(tiny.spec(), tiny.ARRAYS, tmp_path / "Tiny")
    assert wrong(tmp_path / "Tiny", umask) == []
