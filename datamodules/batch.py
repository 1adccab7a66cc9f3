"""`Batch`: what travels from the loader through the transforms to the model."""

from dataclasses import dataclass

import numpy as np
from torch import Tensor


@dataclass(slots=True)
class Batch:
    """One process's part of one step's batch.

    Attributes:
        images: (batch, channels, height, width) in channels-last memory; uint8 as stored, float32 once normalised.
        labels: int64, (batch,).
        step: the optimizer step (or the number of the batch, in evaluation) that this batch belongs to.
        places: int64, (batch,), in host memory: each row's place in the step's *global* batch, over all processes.
        copies: int64, (batch,), in host memory: which copy of its sample each row is; None where each is the only one.
    """

    images: Tensor
    labels: Tensor
    step: int
    places: np.ndarray
    copies: np.ndarray | None = None

    def __len__(self) -> int:
        """Rows of this batch."""
        return len(self.labels)
