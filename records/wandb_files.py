"""What lies in the files that W&B leaves in a run directory."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_BLOCK, _HEADER = 32768, 7


def records_of(path: Path) -> Iterator[Any]:
    """W&B's records in one `run-ID.wandb`: a LevelDB log behind a header, one protobuf message a record.

    A last record that a killed process has half written is left out, and so is all that follows a damaged one.
    """
    from google.protobuf.message import DecodeError
    from wandb.proto import wandb_internal_pb2

    for content in _entries(path.read_bytes()):
        record = wandb_internal_pb2.Record()  # type: ignore[attr-defined]
        try:
            record.ParseFromString(content)
        except DecodeError:
            return
        yield record


def last_step(folder: Path, run: str) -> int | None:
    """The last step of a run's chart in all its files of a folder; None if there is none.

    Args:
        folder: W&B's folder in the run directory.
        run: id of the run.
    """
    steps = [
        record.history.step.num
        for path in folder.glob(f"*run-*/run-{run}.wandb")
        for record in records_of(path)
        if record.WhichOneof("record_type") == "history"
    ]
    return max(steps, default=None)


def _entries(data: bytes) -> Iterator[bytes]:
    """Entries of a LevelDB log: in blocks of 32 KiB parts with checksum, length and kind before each."""
    place, parts = _HEADER, list[bytes]()
    while place + _HEADER <= len(data):
        left = _BLOCK - place % _BLOCK
        if left < _HEADER:
            place += left
            continue
        _, size, kind = struct.unpack_from("<IHB", data, place)
        part = data[place + _HEADER : place + _HEADER + size]
        if kind == 0 or len(part) < size:
            return
        parts.append(part)
        place += _HEADER + size
        if kind in (1, 4):  # whole, or the last part of one
            yield b"".join(parts)
            parts = []
