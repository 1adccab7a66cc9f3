"""Checkpoints that are whole or absent, and that load without running code."""

import re
from pathlib import Path
from typing import IO, Any, cast

import torch
from lightning_fabric.plugins.io import TorchCheckpointIO

from checks.references import withheld
from records.files import written_whole
from records.seals import Sealing, is_whole

_ZIP = b"PK\x03\x04"
HYPERPARAMETERS = ("hyper_parameters", "datamodule_hyper_parameters")  # Lightning's keys
REMEDY = "give one of a run's checkpoints/*.ckpt"


class Unreadable(ValueError):
    """A file that is no checkpoint to load.

    Attributes:
        what: what is wrong with which file, without a remedy.
    """

    def __init__(self, what: str) -> None:
        super().__init__(f"{what}: {REMEDY}")
        self.what = what


class AtomicCheckpointIO(TorchCheckpointIO):
    """Checkpoints written whole or not at all: a run killed while it saves keeps the previous one."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Save to `path`, in place of what is there."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        checkpoint |= {name: withheld(checkpoint[name]) for name in HYPERPARAMETERS if name in checkpoint}
        with written_whole(path, durable=True) as file:
            sealing = Sealing(file)
            torch.save(checkpoint, cast(IO[bytes], sealing))
            sealing.seal()

    def load_checkpoint(
        self, path: str | Path, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Load with `weights_only`, also where the caller passes False: a checkpoint is data, and must not run code.

        Raises:
            Unreadable: as `read_checkpoint` says.
        """
        return read_checkpoint(Path(path), map_location)


def read_checkpoint(path: Path, map_location: Any = None, mapped: bool = False) -> dict[str, Any]:
    """Content of a checkpoint, which is data alone.

    Args:
        path: path of the file.
        map_location: device of the tensors, as in `torch.load`.
        mapped: leave the tensors on the disk until they are read.

    Raises:
        Unreadable: there is no such file, a bit of it is not as it was written, or it holds more than data.
    """
    if not path.is_file():
        raise Unreadable(f"checkpoint {path}: there is no such file")
    with path.open("rb") as file:
        in_zip = file.read(4) == _ZIP
    if in_zip and not is_whole(path):
        raise Unreadable(f"checkpoint {path} is damaged")
    try:
        checkpoint = torch.load(path, map_location=map_location or "cpu", mmap=mapped and in_zip, weights_only=True)
    except Exception as error:
        if code := re.search(r"GLOBAL (\S+)", str(error)):
            raise Unreadable(f"checkpoint {path} is refused, as it holds code ({code[1]})") from error
        raise Unreadable(f"checkpoint {path} is damaged, or no checkpoint") from error
    if not in_zip:
        raise Unreadable(f"checkpoint {path} is of torch's old format, which has no checksums")
    if not isinstance(checkpoint, dict) or "state_dict" not in checkpoint:
        raise Unreadable(f"checkpoint {path} holds no state_dict, so no run wrote it")
    return checkpoint
