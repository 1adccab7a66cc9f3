"""A disk that is full while a dataset is fetched: the cache is as it was, and one that has room is fetched into."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from datamodules.sources import CacheNotWritable, _cache, fetch, verify
from tests.full_disk import Disk, mounted


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    """A small disk with the cache on it."""
    with mounted(tmp_path / "disk") as disk:
        monkeypatch.setenv("CADENCE_DATA", str(disk.root / "cache"))
        yield disk


@pytest.mark.parametrize("name", ["train_images", "test_labels"])
def test_no_room_for_an_array(disk: Disk, npm: Callable[..., None], name: str, monkeypatch) -> None:
    npm()
    written = _cache.written_whole

    def filling(path: Path, durable: bool) -> object:
        if path.stem == name:
            disk.fill()
        return written(path, durable)

    with monkeypatch.context() as patch, pytest.raises(CacheNotWritable) as caught:
        patch.setattr(_cache, "written_whole", filling)
        fetch("Tiny")
    assert_told_and_mended(disk, caught.value)


def test_no_room_for_what_a_client_downloads(disk: Disk, npm: Callable[..., None]) -> None:
    npm(before='head -c 50000000 /dev/zero > "$dest/half" || exit 1')
    with pytest.raises(CacheNotWritable) as caught:
        fetch("Tiny")
    npm()
    assert_told_and_mended(disk, caught.value)


def assert_told_and_mended(disk: Disk, error: CacheNotWritable) -> None:
    lines = str(error).splitlines()
    assert lines[0] == f"cannot write to the data cache {disk.root / 'cache'}: No space left on device"
    assert len(lines) == 2 and "room" in lines[1]
    assert not list((disk.root / "cache").iterdir())
    disk.make_room()
    fetch("Tiny")
    assert all(check.ok for check in verify("Tiny"))
