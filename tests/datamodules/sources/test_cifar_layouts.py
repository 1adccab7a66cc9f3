"""CIFAR-10's two layouts, on images of 2 x 3 pixels, four to a sheet."""

import io
import json
import os
import pickle
import re
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from datamodules.sources import SourceRefused
from datamodules.sources._cifar_batches import CifarBatches, parse_batch
from datamodules.sources._cifar_sheets import CifarSheets, parse_labels, parse_sheet
from datamodules.sources._spec import Bytes, sha256
from tests.datamodules.sources import tiny

SHAPE = (2, 3, 3)
_draws = np.random.Generator(np.random.PCG64(1))
ARRAYS = {
    "train_images": _draws.integers(0, 256, (8, *SHAPE), dtype=np.uint8),
    "train_labels": _draws.integers(0, 10, 8, dtype=np.uint8),
    "test_images": _draws.integers(0, 256, (4, *SHAPE), dtype=np.uint8),
    "test_labels": _draws.integers(0, 10, 4, dtype=np.uint8),
}
SPEC = tiny.spec(image_shape=SHAPE, train=8, test=4, sha256={name: sha256(array) for name, array in ARRAYS.items()})
IMAGES, LABELS = ARRAYS["test_images"], ARRAYS["test_labels"]


def png(pixels: Bytes) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def sheet(images: Bytes) -> bytes:
    return png(images.reshape(len(images), -1, 3))


def batch(images: Bytes, labels: Bytes, protocol: int = 4) -> bytes:
    planes = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
    content = {b"batch_label": b"1 of 2", b"labels": labels.tolist(), b"data": planes, b"filenames": [b"a.png"]}
    return pickle.dumps(content, protocol)


def python2_batch(images: Bytes, labels: Bytes) -> bytes:
    """The opcodes that Python 2's cPickle wrote, as in the published files: byte strings, numpy's old names."""
    planes = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
    n, width = planes.shape
    raw = planes.tobytes()
    return b"".join(
        [
            b"\x80\x02}q\x01(U\x0bbatch_labelq\x02U\x04testq\x03U\x06labelsq\x04]q\x05(",
            *(b"K" + bytes([label]) for label in labels.tolist()),
            b"eU\x04dataq\x06cnumpy.core.multiarray\n_reconstruct\nq\x07cnumpy\nndarray\nq\x08K\x00\x85U\x01b\x87Rq\t",
            b"(K\x01K" + bytes([n]) + b"K" + bytes([width]) + b"\x86cnumpy\ndtype\nq\nU\x02u1K\x00K\x01\x87Rq\x0b",
            b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T" + struct.pack("<I", len(raw)) + raw,
            b"tbU\tfilenamesq\x0c]q\r(U\x05a.pngq\x0eeu.",
        ]
    )


@pytest.mark.parametrize("write", [batch, python2_batch])
def test_batches(write: Any) -> None:
    train = [write(ARRAYS["train_images"][i : i + 4], ARRAYS["train_labels"][i : i + 4]) for i in (0, 4)]
    files = {"b/data_batch_1": train[0], "b/data_batch_2": train[1], "b/test_batch": write(IMAGES, LABELS)}
    layout = CifarBatches("b", train=("data_batch_1", "data_batch_2"))
    assert files.keys() == layout.members(SPEC).keys()
    SPEC.check(layout.decode(SPEC, files, "x"), "x")


def test_one_training_batch_and_labels_of_another_key() -> None:
    """CIFAR-100's layout: train and test, a hundred fine labels."""
    fine = {"train_labels": np.arange(92, 100, dtype=np.uint8), "test_labels": np.array([0, 10, 99, 50], np.uint8)}
    arrays = ARRAYS | fine
    classes = tuple(map(str, range(100)))
    hashes = {name: sha256(array) for name, array in arrays.items()}
    spec = tiny.spec(image_shape=SHAPE, train=8, test=4, classes=classes, sha256=hashes)
    files = {}
    for split in ("train", "test"):
        images, labels = arrays[f"{split}_images"], arrays[f"{split}_labels"].tolist()
        content = {b"data": images.transpose(0, 3, 1, 2).reshape(len(images), -1), b"fine_labels": labels}
        files[f"c/{split}"] = pickle.dumps(content | {b"coarse_labels": [0] * len(labels)}, 4)
    layout = CifarBatches("c", train=("train",), test="test", labels="fine_labels")
    assert files.keys() == layout.members(spec).keys()
    assert all(len(files[name]) <= most for name, most in layout.members(spec).items())
    spec.check(layout.decode(spec, files, "x"), "x")
    with pytest.raises(SourceRefused, match="'fine_labels' has something other than integers from 0 to 9"):
        CifarBatches("c", ("train",), "test", "fine_labels").decode(SPEC, files, "x")


def test_python2_batch_is_what_pickle_would_read() -> None:
    content = pickle.loads(python2_batch(IMAGES, LABELS), encoding="bytes")
    np.testing.assert_array_equal(content[b"data"].reshape(4, 3, 2, 3).transpose(0, 2, 3, 1), IMAGES)
    assert content[b"labels"] == LABELS.tolist()


@pytest.mark.parametrize("protocol", [3, 4])  # those that have bytes, and in which numpy calls what it always called
def test_every_protocol_and_fortran_order(protocol: int) -> None:
    for images in (IMAGES, np.asfortranarray(IMAGES)):
        found, labels = parse_batch(batch(images, LABELS, protocol), 4, SPEC, "x", "m")
        np.testing.assert_array_equal(found, IMAGES)
        np.testing.assert_array_equal(labels, LABELS)


class Calls:
    def __init__(self, function: Any, *arguments: Any) -> None:
        self.reduced = (function, arguments)

    def __reduce__(self) -> Any:
        return self.reduced


@pytest.mark.parametrize("place", ["whole", "value", "label"])
def test_a_pickle_with_code_in_it_is_refused_unrun(tmp_path: Path, place: str) -> None:
    for bomb, called in [
        (Calls(os.mkdir, str(tmp_path / "ran")), f"{os.mkdir.__module__}.mkdir"),
        (Calls(eval, f"__import__('os').mkdir({str(tmp_path / 'ran')!r})"), "builtins.eval"),
        (Calls(np.fromfile, "/etc/passwd"), "numpy.*fromfile"),
    ]:
        data = {"whole": bomb, "value": {b"data": bomb}, "label": {b"labels": [bomb]}}[place]
        with pytest.raises(SourceRefused, match=rf"x.tar.gz: m: .*its pickle calls {called}"):
            parse_batch(pickle.dumps(data, 4), 4, SPEC, "x.tar.gz", "m")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "not a batch"),
        (batch(IMAGES, LABELS)[:-20], "not a batch"),
        (b"\x80\x02r\xff\xff\xff\x7f.", "not a batch"),
        (pickle.dumps([1], 4), "not a dictionary"),
        (pickle.dumps({b"labels": [1]}, 4), "'data' is not"),
        (pickle.dumps({b"data": IMAGES.astype(np.int16).reshape(4, -1)}, 4), "'data' is not"),
        (pickle.dumps({b"data": np.array([[None] * 18] * 4)}, 4), "'data' is not"),
        (batch(IMAGES[:3], LABELS), "'data' is not"),
        (batch(IMAGES, LABELS[:3]), "'labels' is not a list of 4"),
        (batch(IMAGES, LABELS + 10), "other than integers from 0 to 9"),
        (pickle.dumps({b"data": IMAGES.reshape(4, -1), b"labels": [True] * 4}, 4), "other than integers"),
        (b"\x80\x02P1\n.", "not a batch"),
        (b"\x80\x02Va\nQ.", "refers to something outside"),
    ],
)
def test_other_batches_are_refused(data: bytes, why: str) -> None:
    with pytest.raises(SourceRefused, match=re.escape(why)):
        parse_batch(data, 4, SPEC, "x", "m")


def test_sheets() -> None:
    files = {f"p/data_batch_{i + 1}.png": sheet(ARRAYS["train_images"][4 * i : 4 * i + 4]) for i in range(2)}
    files |= {"p/test_batch.png": sheet(IMAGES), "p/test_lables.json": json.dumps(LABELS.tolist()).encode()}
    files |= {"p/train_lables.json": json.dumps(ARRAYS["train_labels"].tolist()).encode()}
    layout = CifarSheets("p", images_per_sheet=4)
    assert files.keys() == layout.members(SPEC).keys()
    SPEC.check(layout.decode(SPEC, files, "x"), "x")


def bomb(width: int, height: int) -> bytes:
    """A PNG header that claims any size, with a few bytes of pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(20))) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "not a PNG"),
        (b"GIF89a" + bytes(100), "not a PNG"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "0 x 0 pixels instead of 6 x 4"),
        (sheet(IMAGES[:3]), "6 x 3 pixels instead of 6 x 4"),
        (png(IMAGES.reshape(2, 12, 3)), "12 x 2 pixels"),
        (bomb(1_000_000, 1_000_000), "1000000 x 1000000 pixels"),
        (bomb(6, 4), "cut short"),
        (png(IMAGES[..., 0].reshape(4, 6)), "mode L instead of RGB"),
        (sheet(IMAGES)[:-30], "cut short"),
    ],
)
def test_other_sheets_are_refused(data: bytes, why: str) -> None:
    with pytest.raises(SourceRefused, match=re.escape("x.tgz: m.png: ") + ".*" + re.escape(why)):
        parse_sheet(data, 4, SHAPE, "x.tgz", "m.png")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"a": 1}', "not a list of 4 labels"),
        (b"[1, 2, 3]", "not a list of 4 labels"),
        (b"[1, 2, 3, 10]", "label 3 is 10, not an integer from 0 to 9"),
        (b"[-1, 2, 3, 4]", "label 0 is -1"),
        (b"[1, 2.0, 3, 4]", "label 1 is 2.0"),
        (b"[1, true, 3, 4]", "label 1 is True"),
        (b'[1, 2, "3", 4]', "label 2 is 3"),
        (b"[1, 2, null, 4]", "label 2 is None"),
    ],
)
def test_other_labels_are_refused(data: bytes, why: str) -> None:
    with pytest.raises(SourceRefused, match=re.escape("x: m.json: ") + ".*" + re.escape(why)):
        parse_labels(data, 4, "x", "m.json")
