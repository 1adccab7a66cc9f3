"""No flipped bit of a checkpoint is taken: of ours none at all, of others' none in what they hold."""

import zipfile
from pathlib import Path

import pytest
import torch

from records.checkpoint_io import AtomicCheckpointIO
from records.seals import is_whole

STATE = {"state_dict": {"weight": torch.arange(6.0), "bias": torch.ones(2)}, "global_step": 3}


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    AtomicCheckpointIO().save_checkpoint(STATE, tmp_path / "last.ckpt")
    return tmp_path / "last.ckpt"


def test_every_bit_counts(ours: Path) -> None:
    content = ours.read_bytes()
    assert is_whole(ours)
    with ours.open("r+b", buffering=0) as file:
        for place, byte in enumerate(content):
            for bit in range(8):
                file.seek(place)
                file.write(bytes([byte ^ 1 << bit]))
                assert not is_whole(ours), f"bit {bit} of byte {place} of {len(content)}"
            file.seek(place)
            file.write(bytes([byte]))
    assert is_whole(ours)


def test_every_length_but_the_whole_is_refused(ours: Path) -> None:
    content = ours.read_bytes()
    for length in range(0, len(content), 7):
        ours.write_bytes(content[:length])
        assert not is_whole(ours), length
    ours.write_bytes(content + b"\0")
    assert not is_whole(ours)


def test_torch_and_unzip_read_a_sealed_file(ours: Path) -> None:
    for more in ({}, {"mmap": True}):
        loaded = torch.load(ours, weights_only=True, **more)
        assert torch.equal(loaded["state_dict"]["weight"], torch.arange(6.0)) and loaded["global_step"] == 3
    with zipfile.ZipFile(ours) as archive:
        assert archive.testzip() is None and archive.comment.startswith(b"cadence crc32 ")


def test_of_a_file_that_torch_alone_has_written_the_members_count(tmp_path: Path) -> None:
    path = tmp_path / "others.ckpt"
    torch.save(STATE, path)
    content = path.read_bytes()
    assert is_whole(path)
    with zipfile.ZipFile(path) as archive:
        info = next(info for info in archive.infolist() if info.filename.endswith("data/0"))
    weights = content.index(torch.arange(6.0).numpy().tobytes())
    assert info.file_size == 24
    for place in range(weights, weights + 24):
        path.write_bytes(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
        assert not is_whole(path)


def test_the_old_format_of_torch_has_no_checksums(tmp_path: Path) -> None:
    torch.save(STATE, tmp_path / "old.ckpt", _use_new_zipfile_serialization=False)
    with pytest.raises(ValueError, match=r"old\.ckpt is of torch's old format"):
        AtomicCheckpointIO().load_checkpoint(tmp_path / "old.ckpt")
