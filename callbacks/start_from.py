"""Begin a run with another run's weights, and with its optimizer's state where the optimizer is the same."""

import hashlib
import shutil
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from callbacks.run_record import run_folder
from records.checkpoint_io import read_checkpoint
from records.files import written_whole
from records.run_directory import RunDirectory


class StartFrom(pl.Callback):
    """Load weights before the first step; `fit --from` adds it, and leaves it out of a resumed run.

    The run keeps a copy of the checkpoint, `checkpoints/start.ckpt`, so that it can be begun again. It logs no keys.

    Args:
        path: path of the checkpoint.
        sha256: digest of that file.
        without_state: reason why the optimizer's state is left out; "" takes it, if its groups are the same.
    """

    def __init__(self, path: str | Path, sha256: str, without_state: str = "") -> None:
        self.path, self.sha256, self.without_state = Path(path), sha256, without_state
        self._optimizer: dict[str, Any] | None = None

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Load the weights: before the optimizer is made, as some look at them then."""
        if stage == "fit":
            content = read_checkpoint(self.path, mapped=True)
            pl_module.load_state_dict(content["state_dict"])
            states = content.get("optimizer_states") or [None]
            self._optimizer = states[0]

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Load the optimizer's state, and say what was taken."""
        state, self._optimizer = self._optimizer, None
        reason = self.without_state or _load_state(trainer, state)
        if trainer.is_global_zero:
            kind = type(trainer.optimizers[0]).__name__ if trainer.optimizers else "the optimizer"
            taken = f"weights alone: {reason}" if reason else f"weights, and the state of {kind}"
            print(f"Begun from {self.path}: {taken}")

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keep a copy of the checkpoint.

        Raises:
            ValueError: its file has become another one since it was chosen.
        """
        if (folder := run_folder(trainer)) is None or not trainer.is_global_zero:
            return
        copy = RunDirectory(folder).start
        if copy.is_file() and copy.samefile(self.path):
            return
        copy.parent.mkdir(exist_ok=True)
        with self.path.open("rb") as source, written_whole(copy, durable=True) as file:
            shutil.copyfileobj(source, file, 1 << 20)
        with copy.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != self.sha256:
                raise ValueError(f"--from: {self.path} has become another file meanwhile: begin once more")


def _load_state(trainer: pl.Trainer, state: dict[str, Any] | None) -> str:
    """Load the state of a run's only optimizer, with its own options; returns why not, or ""."""
    if state is None or len(trainer.optimizers) != 1:
        return "the checkpoint has no optimizer's state" if state is None else "there are several optimizers"
    optimizer = trainer.optimizers[0]
    own = optimizer.state_dict()
    members = [[group["params"] for group in groups] for groups in (state["param_groups"], own["param_groups"])]
    if members[0] != members[1]:
        return "the optimizer's groups of parameters are others"
    optimizer.load_state_dict({"state": state["state"], "param_groups": own["param_groups"]})
    return ""
