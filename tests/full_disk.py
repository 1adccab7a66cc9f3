"""A small file system in memory, which a test fills up; mounting one needs root."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


class Disk:
    """A mounted tmpfs.

    Args:
        root: folder that it is mounted on.
    """

    def __init__(self, root: Path) -> None:
        self.root, self._filler = root, root / "filler"

    def fill(self, leaving: int = 0) -> None:
        """Leave so many free pages; a file's last page may still have room for its own growth."""
        with contextlib.suppress(OSError), self._filler.open("ab", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        if leaving:
            os.truncate(self._filler, self._filler.stat().st_size - 4096 * leaving)

    def make_room(self) -> None:
        """Free what `fill` took."""
        self._filler.unlink(missing_ok=True)

    def read_only(self) -> None:
        """Let nobody write to it any more."""
        subprocess.run(["mount", "-o", "remount,ro", self.root], check=True)


@contextlib.contextmanager
def mounted(root: Path, megabytes: int = 8) -> Iterator[Disk]:
    """Mount a tmpfs on the new folder `root`; the test is skipped where that is not allowed."""
    root.mkdir()
    unmount = shutil.which("umount") or "umount"  # before a test may change the path
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", root], capture_output=True, text=True
    )
    if done.returncode != 0:
        pytest.skip(f"no tmpfs can be mounted: {done.stderr.strip()}")
    try:
        yield Disk(root)
    finally:
        subprocess.run([unmount, root], check=True)
