"""A row for each image: its place, its label, the class that a model takes it for, and a probability a class."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import BasePredictionWriter
from torch import Tensor

from commands.errors import UserError
from datamodules.image_datamodule import ImageDataModule
from datamodules.loaders import EvalLoader
from records.files import expanded, write_csv
from records.run_directory import RunDirectory
from trainer.access import rebuildable

NAME = "predictions.csv"
_LABELS = ("label", "labels", "target", "targets", "y")  # of a batch that is a mapping
_TITLES = {"test": "test", "val": "validation", "train": "training"}


class PredictedRows(BasePredictionWriter):
    """Collect what `predict_step` returns, over all processes, and write it to a CSV file at the end.

    Class scores are a tensor (batch, classes). Rows that are all positive and sum to 1 are probabilities already; of
    any others, softmax makes them.

    Args:
        output: path of the file.
        classes: names of the classes; None names them by their numbers.
    """

    def __init__(self, output: Path, classes: Sequence[str] | None) -> None:
        super().__init__("batch")
        self.output, self.classes = output, classes
        self.right = self.labelled = self.rows = 0
        self._parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def write_on_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        prediction: Any,
        batch_indices: Sequence[int] | None,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int,
    ) -> None:
        """Keep a batch's rows.

        Raises:
            UserError: the step returns no class scores, or it is not known which images they are of.
        """
        if dataloader_idx:
            raise UserError("data: there are several loaders, and predictions are of one: return one of them alone")
        scores = _scores(prediction, type(pl_module).__name__)
        loader = trainer.predict_dataloaders
        if isinstance(loader, EvalLoader):
            places = loader.indices(batch_idx).cpu().numpy()
        elif batch_indices is not None and len(batch_indices) == len(scores):
            places = np.asarray(batch_indices)
        elif trainer.world_size == 1:
            before = sum(len(part[0]) for part in self._parts)
            places = np.arange(before, before + len(scores))
        else:
            raise UserError("data: whose predictions these are is not known: predict by one process instead")
        self._parts.append((places, _labels(batch, len(scores)), scores))

    def on_predict_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the file, by the first process."""
        parts = self._parts
        if trainer.world_size > 1:
            gathered: list[Any] = [None] * trainer.world_size
            torch.distributed.all_gather_object(gathered, parts)
            parts = [part for own in gathered for part in own]
        if not parts or not trainer.is_global_zero:
            return
        places, first = np.unique(np.concatenate([part[0] for part in parts]), return_index=True)
        labels, scores = (np.concatenate([part[number] for part in parts])[first] for number in (1, 2))
        chances = probabilities(scores)
        found = chances.argmax(1)
        names = self.classes if self.classes and len(self.classes) == chances.shape[1] else range(chances.shape[1])
        columns = [f"probability_{name}" for name in names]
        write_csv(
            self.output,
            [
                {"index": place, "label": "" if label < 0 else label, "prediction": best}
                | dict(zip(columns, (f"{chance:.6g}" for chance in row), strict=True))
                for place, label, best, row in zip(places, labels, found, chances, strict=True)
            ],
        )
        self.rows, self.labelled = len(places), int((labels >= 0).sum())
        self.right = int((found == labels).sum())

    def told(self, split: str) -> str:
        """A line that says what was written."""
        share = f", {self.right / self.labelled:.2%} of them right" if self.labelled else ""
        return f"{self.rows:,} predictions for the {_TITLES[split]} images{share}: {self.output}"


def probabilities(scores: np.ndarray) -> np.ndarray:
    """Probabilities (n, classes) of class scores: themselves where they are such, else by softmax.

    Raises:
        UserError: some are no finite numbers.
    """
    scores = scores.astype(np.float64)
    if bad := int((~np.isfinite(scores)).any(1).sum()):
        raise UserError(
            f"the model's class scores are no finite numbers for {bad:,} of {len(scores):,} images: "
            "take another checkpoint"
        )
    if (scores >= 0).all() and np.allclose(scores.sum(1), 1, atol=1e-3):
        return scores
    powers = np.exp(scores - scores.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def place_of_output(given: str | None, directory: RunDirectory | None) -> Path:
    """Where the predictions go: as given, else into the run directory.

    Raises:
        UserError: neither is given, or nothing can be written there.
    """
    if given is None and directory is None:
        raise UserError("output is missing: name the file by --output PATH, or the run by --run_dir DIR")
    path = expanded(given) if given is not None else directory.root / NAME  # type: ignore[union-attr]
    if path.is_dir() or not path.parent.is_dir():
        what = "is a folder" if path.is_dir() else f"there is no folder {path.parent}"
        raise UserError(f"--output {path}: {what}: name a file, e.g. {NAME}")
    if given is None and directory is not None and not directory.writable():
        raise UserError(f"{directory.root} is not writable: name another place by --output PATH")
    return path


@contextmanager
def reading(data: Any, images: ImageDataModule | None, split: str) -> Iterator[None]:
    """Let Lightning's `predict` read a split in the block, and a stranger's data be set up as the run had them.

    Lightning sets data up by the name of what it does: a datamodule that knows `fit` and `test` alone, as its
    documentation has them, would have nothing to validate or predict.

    Args:
        data: the datamodule.
        images: the same, if it is one of Cadence's.
        split: `test`, `val` or `train`.
    """
    if images is not None:
        data.predict_dataloader = lambda: images.eval_loader(split)
        yield
        return
    setup, stage = data.setup, "test" if split == "test" else "fit"
    data.setup = lambda stage=stage, wanted=stage: setup(wanted)
    data.predict_dataloader = lambda: rebuildable(getattr(data, f"{split}_dataloader")())
    try:
        yield
    finally:
        data.setup = setup


def _scores(prediction: Any, name: str) -> np.ndarray:
    """Class scores (batch, classes) of what a step returned."""
    if not isinstance(prediction, Tensor) or prediction.dim() != 2 or prediction.shape[1] < 2:
        got = f"a tensor {tuple(prediction.shape)}" if isinstance(prediction, Tensor) else type(prediction).__name__
        raise UserError(
            f"model: {name}.predict_step must return class scores, a tensor (batch, classes), and gave {got}: "
            "return those alone"
        )
    return prediction.detach().to("cpu", torch.float64).numpy()


def _labels(batch: Any, size: int) -> np.ndarray:
    """Labels (batch,) of a batch of images and labels; -1 where it holds none."""
    if isinstance(batch, Mapping):
        found = next((batch[name] for name in _LABELS if name in batch), None)
    else:
        found = batch[1] if isinstance(batch, Sequence) and len(batch) > 1 else None
    if isinstance(found, Tensor) and found.shape == (size,) and not found.is_floating_point():
        return found.cpu().numpy().astype(np.int64)
    return np.full(size, -1)
