"""The loss of one sample as a function of a shift of the first weights of one parameter."""

import contextlib
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.overrides import TorchFunctionMode

from inspection import first_line

Loss = Callable[[Any, Tensor], Tensor]

MEMORY = 2**28  # rough limit in bytes for the copies in one batched forward pass


class SampleLoss(nn.Module):
    """A model and one sample: `forward()` is the loss.

    Args:
        model: any module.
        images: input of one sample, (1, ...).
        labels: label of that sample, (1, ...).
        loss: function of the model's output and the labels that returns a scalar; None takes the loss that
            `model.training_step` returns, as in every LightningModule with automatic optimization.

    Raises:
        ValueError: there is no loss and no training_step that returns one; from `forward`: training_step fails on
            (images, labels), or the loss is not one number.
    """

    images: Tensor
    labels: Tensor

    def __init__(self, model: nn.Module, images: Tensor, labels: Tensor, loss: Loss | None = None) -> None:
        super().__init__()
        if loss is None:
            name, by_hand = type(model).__name__, getattr(model, "automatic_optimization", True) is False
            if by_hand or not _has_training_step(model):
                why = "'s training_step optimizes by itself, and returns none" if by_hand else " has no training_step"
                remedy = "let training_step return the loss" + (", with automatic_optimization left on" * by_hand)
                raise ValueError(f"loss is missing: {name}{why}: {remedy}, or, in Python, give SampleLoss a loss")
        self.model, self.loss = model, loss
        self.register_buffer("images", images, persistent=False)
        self.register_buffer("labels", labels, persistent=False)

    def forward(self) -> Tensor:
        """The loss, shape ()."""
        images = self.images.clone()  # the model may work in place
        if self.loss is not None:
            value = self.loss(self.model(images), self.labels)
        else:
            value = self._training_step(images)
            value = value["loss"] if isinstance(value, dict) and "loss" in value else value
        if not isinstance(value, Tensor) or value.numel() != 1:
            given = f"a tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
            source = "training_step of the model" if self.loss is None else "loss"
            remedy = "reduce it, e.g. by .mean()" if isinstance(value, Tensor) else "return the loss, a tensor"
            raise ValueError(f"{source} must return one number, got {given}: {remedy}")
        return value.reshape(())

    def _training_step(self, images: Tensor) -> Any:
        try:
            return self.model.training_step((images, self.labels), 0)  # type: ignore[operator]
        except (TypeError, LookupError, AttributeError) as error:
            why = ", ".join(dict.fromkeys((type(error).__name__, first_line(error))))
            raise ValueError(
                f"training_step of {type(self.model).__name__} fails: {why}: it is given (images, labels) and 0, the "
                "index of the batch, by position, and has no trainer"
            ) from error


class ShiftedLoss:
    """L(theta + shift), where the shift applies to the first weights of a parameter; computed in a given precision.

    The model is not changed: its state is copied, and it is in evaluation mode (no dropout, running statistics in batch
    normalisation) only during a call.

    Args:
        sample: model and sample.
        parameter: name of the parameter within the model, e.g. `layers.linear_2.weight`.
        weights: number of weights to shift, the first ones; all where the parameter has fewer.
        dtype: precision of the computation.
    """

    def __init__(self, sample: SampleLoss, parameter: str, weights: int, dtype: torch.dtype) -> None:
        self.sample, self.dtype = sample, dtype
        self._name = f"model.{parameter}"
        with torch.no_grad():
            tensors = dict(sample.named_parameters()) | dict(sample.named_buffers())
            self._state = {
                name: tensor.detach().to(dtype if tensor.is_floating_point() else tensor.dtype, copy=True)
                for name, tensor in tensors.items()
            }
        self._theta = self._state[self._name]
        self.weights = min(weights, self._theta.numel())

    def zero(self) -> Tensor:
        """The zero shift, shape (weights,)."""
        return torch.zeros(self.weights, dtype=self.dtype, device=self._theta.device)

    def __call__(self, shift: Tensor) -> Tensor:
        """The loss, shape (), at a shift of shape (weights,); differentiable in it."""
        flat = self._theta.reshape(-1)
        moved = torch.cat((flat[: self.weights] + shift, flat[self.weights :])).reshape(self._theta.shape)
        with _evaluating(self.sample):
            return functional_call(self.sample, self._state | {self._name: moved}, ())

    def rows(self, function: Callable[[Tensor], Tensor], shifts: Tensor, kept: int = 0) -> tuple[Tensor, bool]:
        """`function` of every row of `shifts`, in batched forward passes; one by one where the model cannot be batched.

        It cannot with a custom autograd function without `setup_context`, with `.item()`, or a branch on a value.

        Args:
            function: function of a shift that calls this loss.
            shifts: one shift in each row, (rows, weights).
            kept: number of bytes that a row holds to its end, beside the tensors that pass through the model.

        Returns:
            The function's results, stacked, and whether they were computed in batches.
        """
        with torch.no_grad():
            each = self._theta.nbytes + 2 * self._largest_tensor() + kept
            try:
                with warnings.catch_warnings():
                    warnings.filterwarnings("ignore", message="There is a performance drop")
                    return vmap(function, chunk_size=max(1, MEMORY // each))(shifts), True
            except RuntimeError:
                return one_by_one(function, shifts), False

    def _largest_tensor(self) -> int:
        with _Largest() as largest, torch.enable_grad():
            self(self.zero().requires_grad_())
        return largest.bytes


def one_by_one(function: Callable[[Tensor], Tensor], shifts: Tensor) -> Tensor:
    """`function` of every row of `shifts` (rows, weights), stacked: what `ShiftedLoss.rows` does, in a plain loop."""
    with torch.no_grad():
        return torch.stack([function(shift) for shift in shifts])


class _Largest(TorchFunctionMode):
    """Bytes of the largest tensor that depends on the shift; other tensors are computed once for all copies."""

    bytes = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor) and result.requires_grad:
            self.bytes = max(self.bytes, result.nbytes)
        return result


def _has_training_step(model: nn.Module) -> bool:
    """Whether a model defines training_step itself; Lightning's own only warns that it is missing."""
    step = getattr(type(model), "training_step", None) or getattr(model, "training_step", None)
    lightning_s = ("pytorch_lightning.core.module", "lightning.pytorch.core.module")
    return callable(step) and getattr(step, "__module__", "") not in lightning_s


@contextlib.contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    """Evaluation mode in the block; every submodule's former mode is restored after it."""
    training = [child for child in module.modules() if child.training]
    for child in training:
        child.training = False
    try:
        yield
    finally:
        for child in training:
            child.training = True
