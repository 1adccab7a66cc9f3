"""Read the wanted members of an untrusted archive, in one pass and without unpacking it to disk.

A member that no honest package of data would hold (a link, a device, a name that leaves the folder) refuses the whole
archive, wanted or not. Every read is bounded, so that a decompression bomb costs a bounded time and memory.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Protocol

from datamodules.sources._errors import SourceRefused

_BLOCK = 1 << 20
_SLACK = 64 << 20  # what an archive may hold beside the wanted members: headers, READMEs, code
_MOST_MEMBERS = 10_000


class Readable(Protocol):
    """Anything that gives up to `size` bytes at a time."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes; none at the end."""


class _Metered:
    """A stream that refuses to give more than `limit` bytes."""

    def __init__(self, stream: Readable, limit: int, archive: str) -> None:
        self._stream, self._limit, self._archive, self._given = stream, limit, archive, 0

    def read(self, size: int) -> bytes:
        block = self._stream.read(size)
        self._given += len(block)
        if self._given > self._limit:
            raise SourceRefused(self._archive, "", f"unpacks to more than {self._limit >> 20} MB (a bomb?)")
        return block


def read_tgz(path: Path, wanted: Mapping[str, int]) -> dict[str, bytes]:
    """Return the bytes of the `wanted` members (name -> most bytes) of the gzipped tar at `path`.

    Raises:
        SourceRefused: naming the archive and the member: missing, twice, too large, cut short, or hostile.
    """
    with path.open("rb") as file, gzip.GzipFile(fileobj=file) as stream:
        return read_tar(stream, wanted, path.name)


def read_tar(stream: Readable, wanted: Mapping[str, int], archive: str) -> dict[str, bytes]:
    """Return the bytes of the `wanted` members (name -> most bytes) of the tar that `stream` gives, read to its end.

    Raises:
        SourceRefused: as `read_tgz`.
    """
    limit = sum(wanted.values()) + _SLACK
    metered = _Metered(stream, limit, archive)
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=metered, mode="r|", bufsize=_BLOCK) as tar:  # type: ignore[call-overload]
            for count, member in enumerate(tar):
                if count >= _MOST_MEMBERS:
                    raise SourceRefused(archive, "", f"more than {_MOST_MEMBERS:,} members")
                name = _checked_name(member, archive)
                if name in wanted:
                    if name in found:
                        raise SourceRefused(archive, name, "is there twice")
                    found[name] = _bytes_of(tar, member, name, wanted[name], archive)
        while metered.read(_BLOCK):  # to the end, where gzip keeps the checksum
            pass
    except (tarfile.TarError, OSError, EOFError, zlib.error, ValueError, OverflowError, RecursionError) as error:
        raise SourceRefused(archive, "", f"cut short, or not a tar archive ({error})") from error
    for name in wanted:
        if name not in found:
            raise SourceRefused(archive, name, "is missing")
    return found


def gunzip(data: bytes, limit: int, archive: str, member: str) -> bytes:
    """Return the decompressed `data`; refuse more than `limit` bytes, and data that are cut short."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
            plain = stream.read(limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise SourceRefused(archive, member, f"cut short, or not gzip ({error})") from error
    if len(plain) > limit:
        raise SourceRefused(archive, member, f"unpacks to more than {limit:,} bytes")
    return plain


def read_files(folder: Path, wanted: Mapping[str, int]) -> dict[str, bytes]:
    """Return the bytes of the `wanted` files (name relative to `folder` -> most bytes), with the same bounds.

    Raises:
        SourceRefused: a file is missing or too large.
    """
    found = {}
    for name, limit in wanted.items():
        try:
            with (folder / name).open("rb") as file:
                found[name] = file.read(limit + 1)
        except OSError as error:
            raise SourceRefused(str(folder), name, error.strerror or str(error)) from error
        if len(found[name]) > limit:
            raise SourceRefused(str(folder), name, f"larger than {limit:,} bytes")
    return found


def _checked_name(member: tarfile.TarInfo, archive: str) -> str:
    name = member.name
    path = PurePosixPath(name)
    if path.is_absolute():
        raise SourceRefused(archive, name, "has an absolute name")
    if ".." in path.parts or "\\" in name:
        raise SourceRefused(archive, name, "has a name that leaves its folder")
    if member.issym() or member.islnk():
        raise SourceRefused(archive, name, f"is a link (to {member.linkname})")
    if not (member.isdir() or member.type in (tarfile.REGTYPE, tarfile.AREGTYPE)) or member.issparse():
        raise SourceRefused(archive, name, "is neither a plain file nor a folder")
    return str(path)


def _bytes_of(tar: tarfile.TarFile, member: tarfile.TarInfo, name: str, limit: int, archive: str) -> bytes:
    if member.size > limit:
        raise SourceRefused(archive, name, f"{member.size:,} bytes, more than the {limit:,} that it may have")
    content = tar.extractfile(member)
    data = content.read() if content is not None else b""
    if content is None or len(data) != member.size:
        raise SourceRefused(archive, name, f"cut short: {len(data):,} of {member.size:,} bytes")
    return data
