"""Loss, accuracy and error over any number of batches, kept as plain tensors until somebody reads them."""

import torch
from torch import Tensor
from torchmetrics import Metric


class ClassificationTotals(Metric):
    """Sums of loss, correct predictions and samples; `compute` turns them into means.

    A torchmetrics Metric for what it is good at: the sums move with the module, and `compute` adds them up over all
    processes. `add` is the hot path: it launches a handful of additions, waits for nothing, and goes round
    torchmetrics' own `update` wrapper, which costs more than the additions themselves. Losses are summed in float64,
    where a window's sum is exact, so that reading the totals in between (at a checkpoint) changes no later figure.
    """

    full_state_update = False
    loss_sum: Tensor
    correct: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("loss_sum", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("correct", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("samples", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
        self.count = 0

    def add(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Add one batch.

        Args:
            loss: sum of the losses over the batch, shape ().
            logits: shape (batch, classes).
            labels: int64, shape (batch,); or float, shape (batch, classes): the heaviest class is the right one.
        """
        if labels.ndim == 2:
            labels = labels.argmax(1)
        self.loss_sum.add_(loss.detach())
        self.correct.add_((logits.detach().argmax(1) == labels).sum())
        self.__dict__["count"] += labels.shape[0]  # past the bookkeeping of Metric's and Module's __setattr__

    def update(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        """The same as `add`, by the name that torchmetrics requires of a Metric."""
        self.add(loss, logits, labels)

    def sums(self) -> tuple[float, int, int]:
        """Loss sum, correct predictions and samples over all processes; resets the totals. The one place that waits."""
        self.samples = torch.tensor(self.count, device=self.loss_sum.device)
        self._update_count, self._computed = 1, None  # else torchmetrics warns that nothing was ever added
        loss_sum, correct, samples = self.compute()
        self.reset()
        self.count = 0
        return float(loss_sum), int(correct), int(samples)

    def compute(self) -> tuple[Tensor, Tensor, Tensor]:
        """The three sums, reduced over the processes."""
        return self.loss_sum, self.correct, self.samples


def means(sums: tuple[float, int, int]) -> dict[str, float]:
    """Mean loss, accuracy and error of (loss sum, correct, samples); NaN where there was no sample."""
    loss_sum, correct, samples = sums
    if samples == 0:
        return {"loss": float("nan"), "accuracy": float("nan"), "error": float("nan")}
    return {"loss": loss_sum / samples, "accuracy": correct / samples, "error": 1 - correct / samples}
