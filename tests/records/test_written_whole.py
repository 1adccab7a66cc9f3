"""Every writer of the house writes a file whole or not at all: a disk that fills midway leaves the old file alone."""

import contextlib
import re
import resource
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from datamodules.sources._cache import write_folder
from records.checkpoint_io import AtomicCheckpointIO
from records.files import write_csv, write_json, written_whole
from records.metrics_csv import MetricsCSV
from tests.datamodules.sources import tiny

HOUSE = Path(__file__).resolve().parents[2]
LIMIT = 50_000  # bytes


@contextlib.contextmanager
def full_disk() -> Iterator[None]:
    """No file of this process grows beyond LIMIT bytes: the system refuses the next."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def plain(path: Path, size: int) -> None:
    with written_whole(path) as file:
        for _ in range(size // 100):
            file.write(bytes(100))


def table(path: Path, size: int) -> None:
    write_csv(path, [{"n": number} for number in range(size // 5 + 1)])


def json_file(path: Path, size: int) -> None:
    write_json(path, {"text": "x" * size})


def checkpoint(path: Path, size: int) -> None:
    AtomicCheckpointIO().save_checkpoint({"state_dict": {"w": torch.zeros(size // 4)}}, path)


def metrics(path: Path, size: int) -> None:
    logger = MetricsCSV(path, lambda step: (0.0, step), lambda: 0.0)
    logger.resume(10**9)
    logger.log_metrics({"x" * size: 1.0}, step=size)  # a new column: the file is rewritten


@pytest.mark.parametrize("write", [plain, table, json_file, checkpoint, metrics])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path, write: Callable[[Path, int], None]) -> None:
    path = tmp_path / "file"
    write(path, 1000)
    before = path.read_bytes()
    assert before
    with pytest.raises((OSError, RuntimeError)), full_disk():
        write(path, 4 * LIMIT)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    write(path, 4 * LIMIT)
    assert len(path.read_bytes()) > 3 * LIMIT


def test_a_full_disk_leaves_no_half_array_in_the_cache(tmp_path: Path) -> None:
    arrays = tiny.ARRAYS | {"test_images": np.zeros((LIMIT, 4, 4, 1), np.uint8)}
    with pytest.raises(OSError, match="written"), full_disk():
        write_folder(tiny.spec(test=LIMIT), arrays, tmp_path / "folder")
    assert {path.name for path in (tmp_path / "folder").iterdir()} == {"train_images.npy", "train_labels.npy"}


def test_an_interrupt_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), written_whole(tmp_path / "file", durable=True) as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"file": b"old"}


def test_two_writers_at_once_do_not_share_a_temporary_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with written_whole(path) as first:
        first.write(b"first")
        with written_whole(path) as second:
            second.write(b"second")
        assert path.read_bytes() == b"second"
    assert path.read_bytes() == b"first"


def test_the_permissions_are_those_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"")
    with written_whole(tmp_path / "whole") as file:
        file.write(b"x")
    assert (tmp_path / "whole").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_no_room_has_a_second_copy() -> None:
    rooms = [path.parent for path in HOUSE.glob("*/__init__.py")]
    own = [file for room in rooms for file in room.rglob("*.py") if file != HOUSE / "records" / "files.py"]
    copies = [
        file for file in own if re.search(r"\.part[\"']|os\.replace|temporary\.(replace|rename)", file.read_text())
    ]
    assert not copies, "use records.files.written_whole"
