"""Memory of a forward pass and of a training step, measured by running the module on a device."""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from inspection import first_line
from inspection.inputs import Inputs, inputs_of
from inspection.memory.allocator_peaks import Peaks, free_bytes, peaks_of
from inspection.memory.predicted import OptimizerOf, dtype_of, loss_of


@dataclass(frozen=True)
class Measured:
    """Measured bytes for one batch, to compare with `inspection.memory.predicted.Memory`.

    Attributes:
        device: device of the measurement, cpu or cuda.
        forward: peak of a forward pass without gradients, module and batch included.
        training_step: peak of a step, with module, batch, gradients and optimizer state.
    """

    device: str
    forward: int
    training_step: int


def measure(
    module: nn.Module,
    inputs: Inputs,
    batch_size: int,
    optimizer: OptimizerOf = torch.optim.SGD,
    precision: str = "32-true",
    *,
    device: str,
    expected: int,
    channels_last: bool = False,
) -> Measured:
    """Run a forward pass and two training steps on random images; the second one counts, with optimizer state.

    Weights are random, and torch's generators keep their state.

    Args:
        module: model on the meta device, where it stays; its dtype is changed.
        inputs: (channels, height, width) of its images, or its inputs.
        batch_size: number of images in a batch.
        optimizer: function from a list of parameters to their optimizer.
        precision: one of 64-true, 32-true, 16-true and bf16-true.
        device: device to run on, cpu or cuda.
        expected: predicted bytes of a step; refused if more than are free, as the system kills processes when memory
            runs out.
        channels_last: whether images and convolutions' weights are channels-last, as `cadence fit` has its own models.

    Raises:
        ValueError: an unknown precision, no such device, too little memory, or a module that fails there; the message
            names what to change.
    """
    dtype, peaks = dtype_of(precision), peaks_of(device)
    free = free_bytes(device)
    if free is not None and expected > free:
        what = f"memory cannot be measured on {device}: a step takes {expected / 1e9:,.1f} GB of {free / 1e9:,.1f}"
        raise ValueError(f"{what} that are free: give a smaller batch")
    generators = [torch.cuda.current_device()] if device == "cuda" else []
    try:
        with torch.random.fork_rng(devices=generators), peaks:
            batch = [one.values(batch_size, dtype, device) for one in inputs_of(inputs)]
            real = _real(module.to(dtype), device)
            if channels_last:
                last = torch.channels_last
                batch = [one.contiguous(memory_format=last) if one.ndim == 4 else one for one in batch]
                for layer in filter(lambda layer: isinstance(layer, nn.Conv2d), real.modules()):
                    layer.to(memory_format=last)
            _run(real, batch, optimizer, peaks)
    except Exception as error:  # errors about memory have many types, and a module may raise any
        what = f"memory cannot be measured on {device} with {batch_size} images in {precision} ({first_line(error)})"
        raise ValueError(f"{what}: give a smaller batch, or another device or precision") from error
    found = peaks.bytes()
    return Measured(device, found["forward"], found["training step"])


def _run(module: nn.Module, batch: Sequence[Tensor], make: OptimizerOf, peaks: Peaks) -> None:
    with peaks.phase("forward"), torch.no_grad():
        module.eval()(*batch)
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    if not trained:
        with peaks.phase("training step"):
            return  # nothing to train: 0 bytes, as in the prediction
    optimizer = make(trained)
    module.train()
    for name in ("first step", "training step"):
        optimizer.zero_grad(set_to_none=True)
        with peaks.phase(name):
            loss_of(module(*batch)).backward()
            optimizer.step()


def _real(module: nn.Module, device: str) -> nn.Module:
    """A copy with values for which activations neither vanish nor overflow: denormal numbers are slow."""
    there: dict[int, Tensor] = {}
    with torch.no_grad():
        for parameter in module.parameters():
            values = torch.ones_like(parameter, device=device)
            if values.ndim > 1:
                values.normal_(std=math.sqrt(2 / values[0].numel()))
            there[id(parameter)] = nn.Parameter(values, requires_grad=parameter.requires_grad)
        for buffer in module.buffers():  # ones for variances and means, zeros for indices and masks
            fill = torch.ones_like if buffer.is_floating_point() else torch.zeros_like
            there[id(buffer)] = fill(buffer, device=device)
    return copy.deepcopy(module, there)  # as the memo, so that shared parameters stay shared
