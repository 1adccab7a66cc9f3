import pickle
from pathlib import Path

import pytest
import torch

from records.checkpoint_io import AtomicCheckpointIO


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint({"state_dict": {"w": torch.arange(3.0)}, "step": 7}, path)
    loaded = AtomicCheckpointIO().load_checkpoint(path)
    assert loaded["step"] == 7 and torch.equal(loaded["state_dict"]["w"], torch.arange(3.0))
    assert list(path.parent.iterdir()) == [path]


def test_a_save_that_fails_keeps_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint({"state_dict": {}, "step": 1}, path)
    with pytest.raises((AttributeError, pickle.PicklingError)):
        AtomicCheckpointIO().save_checkpoint({"state_dict": {}, "step": 2, "bad": lambda: None}, path)
    assert AtomicCheckpointIO().load_checkpoint(path)["step"] == 1
    assert list(tmp_path.iterdir()) == [path]


class Hostile:
    def __reduce__(self) -> tuple:
        return print, ("code ran",)


def test_code_in_a_checkpoint_does_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"state_dict": Hostile()}, tmp_path / "bad.ckpt")
    with pytest.raises(ValueError, match=r"bad\.ckpt"):
        AtomicCheckpointIO().load_checkpoint(tmp_path / "bad.ckpt", weights_only=False)
    assert "code ran" not in capsys.readouterr().out


def test_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint({"w": torch.zeros(1000)}, path)
    path.write_bytes(path.read_bytes()[:1500])
    with pytest.raises(ValueError, match=r"last\.ckpt"):
        AtomicCheckpointIO().load_checkpoint(path)


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such file"):
        AtomicCheckpointIO().load_checkpoint(tmp_path / "none.ckpt")
