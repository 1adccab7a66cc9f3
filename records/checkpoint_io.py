"""Checkpoints that are whole or absent, and that load without running code."""

import re
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins.io import TorchCheckpointIO

from records.files import written_whole

_REMEDY = "give one of a run's checkpoints/*.ckpt"


class AtomicCheckpointIO(TorchCheckpointIO):
    """Checkpoints written whole or not at all: a run killed while it saves keeps the previous one."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Save to `path`, in place of what is there."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path, durable=True) as file:
            torch.save(checkpoint, file)

    def load_checkpoint(
        self, path: str | Path, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Load with `weights_only`, also where the caller passes False: a checkpoint is data, and must not run code.

        Raises:
            ValueError: there is no such file, it is cut short, or it holds more than data.
        """
        path = Path(path)
        if not path.is_file():
            raise ValueError(f"checkpoint {path}: there is no such file: {_REMEDY}")
        try:
            checkpoint = torch.load(path, map_location=map_location or "cpu", weights_only=True)
        except Exception as error:
            if code := re.search(r"GLOBAL (\S+)", str(error)):
                raise ValueError(f"checkpoint {path} is refused, as it holds code ({code[1]}): {_REMEDY}") from error
            raise ValueError(f"checkpoint {path} is damaged, or no checkpoint: {_REMEDY}") from error
        if not isinstance(checkpoint, dict) or "state_dict" not in checkpoint:
            raise ValueError(f"checkpoint {path} holds no state_dict, so no run wrote it: {_REMEDY}")
        return checkpoint
