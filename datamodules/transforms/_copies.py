"""Several copies of each sample of a batch, the first step of batch augmentation."""

from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from checks.arguments import require_within
from datamodules.batch import Batch
from datamodules.transforms._layout import from_rows, to_rows
from datamodules.transforms._pipeline import BatchTransform

MOST_COPIES = 1000
Order = Literal["copy_major", "sample_major"]


def repeat_rows(rows: Tensor, copies: int, order: Order) -> Tensor:
    """Each row `copies` times.

    Args:
        rows: (batch, ...).
        copies: number of copies of each row.
        order: `copy_major`: all rows, then all again (0 1 2 0 1 2); `sample_major`: each row's copies together
            (0 0 1 1 2 2).

    Returns:
        (batch * copies, ...), contiguous.
    """
    place = 0 if order == "copy_major" else 1
    shape = [*rows.shape[:place], copies, *rows.shape[place:]]
    return rows.unsqueeze(place).expand(shape).flatten(0, 1)


class Copies(BatchTransform):
    """Repeat each sample, with its label and place, and number the copies; each copy gets its own later draws.

    Copy 0 equals the sample without copies, and copy c does not depend on their number and order. Belongs first in
    the list, where images are still uint8 and cheapest to copy.

    Args:
        copies: number of copies of each sample.
        order: `copy_major` repeats the whole batch, so that a chunk of it (`micro_batch_size`) holds as many samples
            as it can; `sample_major` puts the copies of a sample side by side.
    """

    def __init__(self, copies: int, order: Order = "copy_major") -> None:
        require_within(f"[1, {MOST_COPIES}]", "1 leaves the batch as it is", copies=copies)
        if order not in ("copy_major", "sample_major"):
            raise ValueError(f"order must be copy_major or sample_major, got {order}: copy_major suits micro-batches")
        self.copies, self.order = copies, order
        self.rows_per_sample = copies

    def __call__(self, batch: Batch, seed: int, name: str) -> Batch:
        """A batch of `copies` times as many rows."""
        # copies of copies: numbers that differ from those of an earlier `Copies`
        before = np.zeros(len(batch), np.int64) if batch.copies is None else batch.copies * self.copies
        return replace(
            batch,
            images=from_rows(repeat_rows(to_rows(batch.images), self.copies, self.order)),
            labels=repeat_rows(batch.labels, self.copies, self.order),
            places=self._host(batch.places),
            copies=self._host(before) + self._numbers(len(batch)),
        )

    def rows_of(self, places: np.ndarray, rows: int) -> np.ndarray:
        """Places, among all that leave, of the copies of the rows at `places` of `rows` rows, in their order."""
        numbers = np.arange(self.copies)
        if self.order == "copy_major":
            return (numbers[:, None] * rows + places).ravel()
        return (places[:, None] * self.copies + numbers).ravel()

    def _host(self, rows: np.ndarray) -> np.ndarray:
        return repeat_rows(torch.from_numpy(rows), self.copies, self.order).numpy()

    def _numbers(self, rows: int) -> np.ndarray:
        numbers = np.arange(self.copies)
        return np.repeat(numbers, rows) if self.order == "copy_major" else np.tile(numbers, rows)
