"""A checksum at a checkpoint's end, so that no flipped bit is taken for weights: torch checks none when it loads."""

import re
import zipfile
import zlib
from pathlib import Path
from typing import IO

_SEAL = b"cadence crc32 %08x"
_LENGTH = len(_SEAL % 0).to_bytes(2, "little")
_SEALED = re.compile(re.escape(_LENGTH) + rb"cadence crc32 ([0-9a-f]{8})", re.DOTALL)
_UNSEALED = b"\0\0"  # the length of no comment: the last two bytes of a zip file, as torch writes it
_END = b"PK\x05\x06"
_BLOCK = 1 << 20


class Sealing:
    """A file to hand to `torch.save`: what goes through it is summed up, and `seal` then writes the sum behind it.

    The sum is the zip file's comment, so that torch and every unzip read the file as before. It covers all bytes, those
    that the checksums within a zip file leave out too.

    Args:
        file: file to write, empty as yet.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._sum = file, 0

    def write(self, part: bytes) -> int:
        """Write a part."""
        self._sum = zlib.crc32(part, self._sum)
        return self._file.write(part)

    def flush(self) -> None:
        """Hand what is buffered to the system."""
        self._file.flush()

    def seal(self) -> None:
        """Write the sum; nothing may be written after it."""
        self._file.seek(-len(_UNSEALED), 2)
        self._file.write(_LENGTH + _SEAL % self._sum)


def is_whole(path: Path) -> bool:
    """Whether every bit of a sealed file is as it was written; of another zip file, every bit of its members.

    A second for some 3 GB. A file that is no zip file at all is not whole.
    """
    with path.open("rb") as file:
        end = file.seek(0, 2)
        file.seek(max(0, end - 64))
        tail = file.read()
        if (seal := _SEALED.search(tail)) is not None and seal.end() == len(tail):
            file.seek(0)
            return int(seal[1], 16) == _sum(file, end - (seal.end() - seal.start()))
    if tail[-22:-18] != _END or not tail.endswith(_UNSEALED):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError, EOFError, zlib.error):
        return False


def _sum(file: IO[bytes], length: int) -> int:
    """CRC-32 of so many bytes, and of the two that the seal took the place of."""
    found = 0
    while length > 0 and (part := file.read(min(_BLOCK, length))):
        found, length = zlib.crc32(part, found), length - len(part)
    return zlib.crc32(_UNSEALED, found)
