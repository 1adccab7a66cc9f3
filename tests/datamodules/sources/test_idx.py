import gzip
import re

import numpy as np
import pytest

from datamodules.sources import SourceRefused
from datamodules.sources._idx import IdxLayout, parse_idx
from tests.datamodules.sources import tiny

IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
GOOD = tiny.idx(IMAGES)


def test_parses_what_was_written() -> None:
    np.testing.assert_array_equal(parse_idx(GOOD, (2, 3, 4), "x.tgz", "m"), IMAGES)


@pytest.mark.parametrize("gzipped", [False, True])
@pytest.mark.parametrize("folder", ["", "a/b"])
def test_layout_gives_images_with_a_channel(gzipped: bool, folder: str) -> None:
    files = tiny.idx_files(folder or ".", gzipped)
    layout, spec = IdxLayout(folder, gzipped), tiny.spec()
    named = {name.removeprefix("./"): data for name, data in files.items()}
    assert named.keys() == layout.members(spec).keys()
    assert all(len(named[name]) <= most for name, most in layout.members(spec).items())
    spec.check(layout.decode(spec, named, "x"), "x")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "magic number '' instead of '00000803'"),
        (b"\0\0\x0d\3" + GOOD[4:], "magic number '00000d03'"),
        (b"\0\0\x08\1" + GOOD[4:], "magic number '00000801'"),
        (GOOD[:10], "less than the header"),
        (GOOD[:4] + b"\xff" * 12 + GOOD[16:], "sizes (4294967295, 4294967295, 4294967295) instead of (2, 3, 4)"),
        (tiny.idx(IMAGES.reshape(2, 4, 3)), "sizes (2, 4, 3)"),
        (GOOD[:-1], "39 bytes instead of 40"),
        (GOOD + b"\0", "41 bytes instead of 40"),
        (gzip.compress(GOOD, mtime=0), "magic number '1f8b"),
    ],
)
def test_refuses(data: bytes, why: str) -> None:
    with pytest.raises(SourceRefused, match=re.escape("x.tgz: m: ") + ".*" + re.escape(why)):
        parse_idx(data, (2, 3, 4), "x.tgz", "m")
