"""Loss, accuracy and error over any number of batches, kept as plain tensors until somebody reads them."""

import torch
from torch import Tensor
from torchmetrics import Metric


class ClassificationTotals(Metric):
    """Sums of loss, correct predictions and samples; they move with the module, and add up over all processes.

    Losses are summed in float64, where a window's sum is exact, so that reading the totals in between (at a checkpoint)
    changes no later figure.
    """

    full_state_update = False
    loss_sum: Tensor
    correct: Tensor
    samples: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("loss_sum", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("correct", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("samples", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Add one batch: a handful of additions, none of which waits for the device.

        Args:
            loss: sum of the losses over the batch, shape ().
            logits: shape (batch, classes).
            labels: int64, shape (batch,); or float, shape (batch, classes): the heaviest class is the right one.
        """
        if labels.ndim == 2:
            labels = labels.argmax(1)
        self.loss_sum.add_(loss.detach())
        self.correct.add_((logits.detach().argmax(1) == labels).sum())
        self.samples.add_(len(labels))

    def compute(self) -> tuple[Tensor, Tensor, Tensor]:
        """The three sums, reduced over the processes."""
        return self.loss_sum, self.correct, self.samples

    def sums(self) -> tuple[float, int, int]:
        """Loss sum, correct predictions and samples over all processes; resets the totals. The one place that waits."""
        if not self.update_called:
            return 0.0, 0, 0
        loss_sum, correct, samples = self.compute()
        self.reset()
        return float(loss_sum), int(correct), int(samples)


class TrainingSums:
    """What a training has summed since its last row, and since its epoch began: loss sum, correct, samples."""

    def __init__(self) -> None:
        self.window = self.epoch = (0.0, 0, 0)

    def read(self, totals: ClassificationTotals) -> None:
        """Take over what the totals have, and reset them."""
        loss_sum, correct, samples = totals.sums()
        self.window, self.epoch = (
            (old[0] + loss_sum, old[1] + correct, old[2] + samples) for old in (self.window, self.epoch)
        )

    def end_window(self) -> dict[str, float]:
        """Means since the last row; begins anew."""
        ended, self.window = means(self.window), (0.0, 0, 0)
        return ended

    def end_epoch(self) -> dict[str, float]:
        """Means of the epoch; begins anew."""
        ended, self.epoch = means(self.epoch), (0.0, 0, 0)
        return ended


def means(sums: tuple[float, int, int]) -> dict[str, float]:
    """Mean loss, accuracy and error of (loss sum, correct, samples); NaN where there was no sample."""
    loss_sum, correct, samples = sums
    if samples == 0:
        return {"loss": float("nan"), "accuracy": float("nan"), "error": float("nan")}
    return {"loss": loss_sum / samples, "accuracy": correct / samples, "error": 1 - correct / samples}
