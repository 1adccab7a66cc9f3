"""Archives that are cut short, altered or hostile are refused by name, and nothing is written outside."""

import gzip
import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from datamodules.sources import SourceRefused
from datamodules.sources._archives import gunzip, read_files, read_tgz
from tests.datamodules.sources import tiny

WANTED = {"package/a": 100, "package/b": 100}
GOOD: list[tuple[str | tarfile.TarInfo, bytes]] = [
    ("package/a", b"A" * 100),
    ("./package/b", b"bb"),
    ("package/c", b""),
]


def special(name: str, kind: bytes, link: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, link
    return member


def many_long_names() -> bytes:
    """A chain of GNU long-name headers, each for the next: deep recursion in a naive reader."""
    header = special("././@LongLink", tarfile.GNUTYPE_LONGNAME)
    header.size = 2
    return gzip.compress((header.tobuf(tarfile.GNU_FORMAT) + b"x\0" + bytes(510)) * 5000)


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("package/a", b"A")
    return buffer.getvalue()


def refused(tmp_path: Path, data: bytes) -> SourceRefused:
    path = tmp_path / "x.tgz"
    path.write_bytes(data)
    with pytest.raises(SourceRefused) as caught:
        read_tgz(path, WANTED)
    assert caught.value.archive == "x.tgz"
    assert str(caught.value).startswith("x.tgz: ")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == [path]
    return caught.value


def test_reads_only_what_is_wanted(tmp_path: Path) -> None:
    (tmp_path / "x.tgz").write_bytes(tiny.tgz(GOOD))
    assert read_tgz(tmp_path / "x.tgz", WANTED) == {"package/a": b"A" * 100, "package/b": b"bb"}
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("extra", "member", "why"),
    [
        (("../outside", b"x"), "../outside", "leaves its folder"),
        (("package/../../outside", b"x"), "package/../../outside", "leaves its folder"),
        (("..\\outside", b"x"), "..\\outside", "leaves its folder"),
        (("/etc/outside", b"x"), "/etc/outside", "absolute"),
        ((special("package/l", tarfile.SYMTYPE, "/etc/passwd"), b""), "package/l", "link (to /etc/passwd)"),
        ((special("package/h", tarfile.LNKTYPE, "package/a"), b""), "package/h", "link (to package/a)"),
        ((special("package/d", tarfile.CHRTYPE), b""), "package/d", "neither a plain file"),
        ((special("package/d", tarfile.BLKTYPE), b""), "package/d", "neither a plain file"),
        ((special("package/f", tarfile.FIFOTYPE), b""), "package/f", "neither a plain file"),
        ((special("package/s", tarfile.CONTTYPE), b""), "package/s", "neither a plain file"),
        (("package/a", b"again"), "package/a", "twice"),
        (("package/./b", b"again"), "package/b", "twice"),
        (("../\x1b[2Joutside\n", b"x"), "../\x1b[2Joutside\n", "leaves its folder"),
    ],
)
@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
def test_hostile_member(tmp_path: Path, extra: tuple[str, bytes], member: str, why: str, first: bool) -> None:
    error = refused(tmp_path, tiny.tgz([extra, *GOOD] if first and why != "twice" else [*GOOD, extra]))
    assert error.member == member
    assert why in error.why
    assert "\x1b" not in str(error)


def test_a_wanted_member_that_is_a_link(tmp_path: Path) -> None:
    error = refused(tmp_path, tiny.tgz([(special("package/a", tarfile.SYMTYPE, "/etc/passwd"), b"")]))
    assert (error.member, error.why) == ("package/a", "is a link (to /etc/passwd)")


def test_a_member_that_is_missing_or_too_large(tmp_path: Path) -> None:
    error = refused(tmp_path, tiny.tgz(GOOD[:1]))
    assert (error.member, error.why) == ("package/b", "is missing")
    error = refused(tmp_path, tiny.tgz([("package/a", b"A" * 101), *GOOD[1:]]))
    assert error.member == "package/a"
    assert "101 bytes, more than the 100" in error.why


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: b"", "cut short"),
        (lambda: b"\0" * 4096, "not a tar"),
        (lambda: zipped(), "not a tar"),
        (lambda: gzip.compress(b"not a tar at all" * 100), "not a tar"),
        (lambda: tiny.tar(GOOD), "not a tar"),
        (lambda: tiny.tgz(GOOD)[:60], "cut short"),
        (lambda: tiny.tgz(GOOD)[:-4], "cut short"),
        (lambda: gzip.compress(tiny.tar(GOOD)[:560]), "cut short"),
        (lambda: tiny.tgz(GOOD)[:-8] + bytes(8), "CRC"),
        (lambda: gzip.compress(tiny.tar(GOOD) + bytes(100 << 20)), "a bomb?"),
        (lambda: tiny.tgz([("package/huge", bytes(100 << 20)), *GOOD]), "a bomb?"),
        (lambda: tiny.tgz([(f"package/{i}", b"") for i in range(10_001)]), "more than 10,000 members"),
        (many_long_names, "cut short, or not a tar"),
    ],
)
def test_hostile_archive(tmp_path: Path, make: Callable[[], bytes], why: str) -> None:
    assert why in str(refused(tmp_path, make()))


def test_gunzip_is_bounded() -> None:
    assert gunzip(gzip.compress(b"x" * 10), 10, "p.deb", "m.gz") == b"x" * 10
    for data, why in [
        (gzip.compress(b"x" * 11), "more than 10 bytes"),
        (gzip.compress(b"x")[:-1], "cut"),
        (b"PK", "cut"),
    ]:
        with pytest.raises(SourceRefused, match=rf"p.deb: m.gz: .*{why}"):
            gunzip(data, 10, "p.deb", "m.gz")


def test_read_files_is_bounded(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    assert read_files(tmp_path, {"a": 5}) == {"a": b"12345"}
    with pytest.raises(SourceRefused, match="a: larger than 4 bytes"):
        read_files(tmp_path, {"a": 4})
    with pytest.raises(SourceRefused, match="b: No such file"):
        read_files(tmp_path, {"b": 4})
