"""`Batch`: what travels from the loader through the transforms to the model."""

from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor

from timeline.draws import to_device


@dataclass(slots=True)
class Batch:
    """One process's part of one step's batch.

    Attributes:
        images: (batch, channels, height, width) in channels-last memory; uint8 as stored, float32 once normalised.
        labels: classes, int64 (batch,); or, once mixed, shares of all classes, float32 (batch, classes), rows sum to 1.
        step: number of the optimizer step; in evaluation, of the batch.
        places: int64, (batch,), in host memory: each row's place in the step's *global* batch, over all processes.
        copies: int64, (batch,), in host memory: number of each row's copy of its sample; None where each has one.
        samples: number of samples in the global batch; None where no transform can mix them, as in evaluation.
        classes: number of classes; None likewise.
        own: int64, in host memory: places whose rows leave the pipeline. The other rows are there to be mixed into
            them, and belong to other processes. None where all rows leave it.
    """

    images: Tensor
    labels: Tensor
    step: int
    places: np.ndarray
    copies: np.ndarray | None = None
    samples: int | None = None
    classes: int | None = None
    own: np.ndarray | None = None

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.labels)

    def take(self, rows: np.ndarray) -> "Batch":
        """The given rows, int64 (n,), in the given order."""
        there = to_device(rows, self.images.device)
        return replace(
            self,
            images=self.images.permute(0, 2, 3, 1).index_select(0, there).permute(0, 3, 1, 2),
            labels=self.labels.index_select(0, there),
            places=self.places[rows],
            copies=None if self.copies is None else self.copies[rows],
        )
