"""Memory of a forward pass and of a training step, predicted on the meta device."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer
from torch.utils._pytree import tree_leaves

from inspection.inputs import Inputs, inputs_of
from inspection.memory.live_bytes import LiveBytes

PRECISIONS = {
    "64-true": torch.float64,
    "32-true": torch.float32,
    "16-true": torch.float16,
    "bf16-true": torch.bfloat16,
}

OptimizerOf = Callable[[list[nn.Parameter]], Optimizer]


@dataclass(frozen=True)
class Memory:
    """Predicted bytes for one batch.

    Attributes:
        parameters, buffers: bytes of the module's parameters and buffers.
        images: bytes of the batch, of all its inputs.
        gradients: bytes of all gradients.
        optimizer_state: bytes of the optimizer's state after its first step.
        kept_for_backward: bytes that the forward pass keeps for backward, without parameters and batch.
        forward: peak of a forward pass without gradients: module, batch, and the tensors then alive.
        training_step: peak of forward, backward and optimizer step, with all of the above.
    """

    parameters: int
    buffers: int
    images: int
    gradients: int
    optimizer_state: int
    kept_for_backward: int
    forward: int
    training_step: int


def dtype_of(precision: str) -> torch.dtype:
    """The dtype of weights and images for one of Lightning's names of a precision.

    Raises:
        ValueError: an unknown precision.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, got {precision}: choose one of them")
    return PRECISIONS[precision]


def loss_of(output: Any) -> Tensor:
    """A loss for any output of a module, shape (): cross-entropy of each (batch, classes) tensor, the sum of others.

    Args:
        output: tensors, or nested lists, tuples and dictionaries of them; all labels are class 0, and complex values
            count by their absolute value.

    Raises:
        ValueError: the output has no tensor of real or complex numbers.
    """
    terms = []
    for leaf in tree_leaves(output):
        if isinstance(leaf, Tensor) and (leaf.is_floating_point() or leaf.is_complex()):
            real = leaf.abs() if leaf.is_complex() else leaf
            labels = torch.zeros(len(leaf), dtype=torch.long, device=leaf.device) if leaf.ndim == 2 else None
            terms.append(real.sum() if labels is None else F.cross_entropy(real, labels))
    if not terms:
        raise ValueError("it gives no tensor of real or complex numbers")
    return torch.stack(terms).sum() if len(terms) > 1 else terms[0]


def predict(
    module: nn.Module,
    inputs: Inputs,
    batch_size: int,
    optimizer: OptimizerOf = torch.optim.SGD,
    precision: str = "32-true",
) -> Memory:
    """Run a forward pass and two training steps on the meta device, and count the bytes of live tensors.

    The loss is `loss_of`. Only `inspection.memory.measured` counts buffers within kernels, the allocator's rounding,
    and temporaries of an optimizer that takes all parameters at once (`foreach`, the default on CUDA). Dropout's masks
    are overestimated on CUDA, where they take one byte a value.

    On a CPU, buffers within kernels add some per cent to a training step in 32-true. They add more where a kernel
    copies the convolution windows of the whole batch (64-true, 16-true) or computes a product in float32 first
    (bf16-true).

    Args:
        module: model on the meta device; its dtype and its mode are changed.
        inputs: (channels, height, width) of its images, or its inputs.
        batch_size: number of images in a batch.
        optimizer: function from a list of parameters to their optimizer.
        precision: one of 64-true, 32-true, 16-true and bf16-true.

    Raises:
        ValueError: an unknown precision.
        Exception: whatever the module raises on such a batch.
    """
    dtype = dtype_of(precision)
    module = module.to(dtype)
    batch = [one.empty(batch_size, dtype) for one in inputs_of(inputs)]
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    fixed = [*batch, *module.parameters(), *module.buffers()]
    with torch.no_grad(), LiveBytes(fixed) as forward:
        module.eval()(*batch)
    module.train()
    kept = _kept(module, batch, fixed)
    state, step_peak = _training_step(module, batch, trained, fixed, optimizer)
    standing = _bytes(fixed)
    return Memory(
        parameters=_bytes(module.parameters()),
        buffers=_bytes(module.buffers()),
        images=_bytes(batch),
        gradients=_bytes(trained),
        optimizer_state=state,
        kept_for_backward=kept,
        forward=standing + forward.peak,
        training_step=standing + state + step_peak,
    )


def _training_step(
    module: nn.Module, batch: Sequence[Tensor], trained: list[nn.Parameter], fixed: list[Tensor], make: OptimizerOf
) -> tuple[int, int]:
    """Bytes of the optimizer's state, and the peak of a step without that and without `fixed`."""
    if not trained:
        return 0, 0
    loss_of(module(*batch)).backward()  # before the optimizer: errors of the module come from here
    try:
        optimizer = make(trained)
        optimizer.step()
    except (RuntimeError, ValueError, KeyError):  # the optimizer reads weights, as Madam does
        for parameter in trained:
            parameter.grad = None
        with LiveBytes(fixed) as step:
            loss_of(module(*batch)).backward()
        return _state_by_size(trained, make), step.peak
    state = _tensors(optimizer)
    optimizer.zero_grad()
    with LiveBytes([*fixed, *state]) as step:
        loss_of(module(*batch)).backward()
        optimizer.step()
    return _bytes(state), step.peak


def _state_by_size(trained: list[nn.Parameter], make: OptimizerOf) -> int:
    """Bytes of state, extrapolated from two small parameters: an amount for each parameter and one for each value."""

    def state(size: int) -> int:
        parameter = nn.Parameter(torch.linspace(1, 2, size, dtype=trained[0].dtype))
        parameter.grad = torch.ones_like(parameter)
        optimizer = make([parameter])
        optimizer.step()
        return _bytes(_tensors(optimizer))

    each = (state(128) - state(64)) / 64
    alone = state(64) - 64 * each
    return round(sum(parameter.numel() * each + alone for parameter in trained))


def _tensors(optimizer: Optimizer) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(list(optimizer.state.values())) if isinstance(leaf, Tensor)]


def _kept(module: nn.Module, batch: Sequence[Tensor], fixed: Sequence[Tensor]) -> int:
    """Bytes that autograd keeps between forward and backward, without `fixed`."""
    kept: dict[int, Tensor] = {}  # holds the tensors, so that a freed storage's address is not used again

    def pack(tensor: Tensor) -> Tensor:
        kept.setdefault(tensor.untyped_storage()._cdata, tensor.detach())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = loss_of(module(*batch))
    del loss
    there = {tensor.untyped_storage()._cdata for tensor in fixed}
    return sum(tensor.untyped_storage().nbytes() for key, tensor in kept.items() if key not in there)


def _bytes(tensors: Iterable[Tensor]) -> int:
    """Bytes of the tensors' storages, each storage once."""
    storages = {tensor.untyped_storage()._cdata: tensor.untyped_storage().nbytes() for tensor in tensors}
    return sum(storages.values())
