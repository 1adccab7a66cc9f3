"""The choice between the plain loop and `torch._foreach_*`, and the gradients that both take."""

from collections.abc import Sequence

from torch import Tensor


def use_foreach(foreach: bool | None, params: Sequence[Tensor]) -> bool:
    """Whether to step by `torch._foreach_*`: `foreach` if given, else if all tensors share device and float dtype."""
    if foreach is not None:
        return foreach
    first = params[0]
    return first.is_floating_point() and all(p.device == first.device and p.dtype == first.dtype for p in params)


def dense_gradients(params: Sequence[Tensor]) -> list[Tensor]:
    """The gradients of tensors that have one.

    Raises:
        ValueError: a gradient is sparse.
    """
    grads = [p.grad for p in params if p.grad is not None]
    if any(grad.is_sparse for grad in grads):
        raise ValueError("gradients must be dense, got a sparse one: build the embedding with sparse=False")
    return grads
