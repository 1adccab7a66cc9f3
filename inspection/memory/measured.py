"""Bytes of a forward pass and of a training step, measured: the module itself, run on a device."""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from inspection.errors import first_line
from inspection.memory.allocator_peaks import Peaks, free_bytes, peaks_of
from inspection.memory.predicted import OptimizerOf, dtype_of, loss_of


@dataclass(frozen=True)
class Measured:
    """Bytes, for one batch, to be held against those of `inspection.memory.predicted.Memory`.

    Attributes:
        device: cpu or cuda.
        forward: most at any time of a forward pass without gradients, with module and batch.
        training_step: most at any time of a step, with module, batch, gradients and optimizer state.
    """

    device: str
    forward: int
    training_step: int


def measure(
    module: nn.Module,
    input_shape: Sequence[int],
    batch_size: int,
    optimizer: OptimizerOf = torch.optim.SGD,
    precision: str = "32-true",
    *,
    device: str,
    expected: int,
    channels_last: bool = False,
) -> Measured:
    """Run a forward pass and two training steps on random images; the second step counts, with the state standing.

    Weights are drawn anew, and torch's generators left as they were.

    Args:
        module: on the meta device, and left there; its dtype is changed.
        input_shape: (channels, height, width).
        batch_size: images in a batch.
        optimizer: makes the optimizer of parameters.
        precision: 64-true, 32-true, 16-true or bf16-true.
        device: cpu or cuda.
        expected: bytes that a step is predicted to take. More than are free are refused, as a system that runs out of
            memory ends processes.
        channels_last: lay out images and convolutions' weights so, as `cadence fit` does with Cadence's own models.

    Raises:
        ValueError: an unknown precision, no such device, too little memory, or a module that fails there; names what to
            change.
    """
    dtype, peaks = dtype_of(precision), peaks_of(device)
    free = free_bytes(device)
    if free is not None and expected > free:
        what = f"memory cannot be measured on {device}: a step takes {expected / 1e9:,.1f} GB of {free / 1e9:,.1f}"
        raise ValueError(f"{what} that are free: give a smaller batch")
    generators = [torch.cuda.current_device()] if device == "cuda" else []
    try:
        with torch.random.fork_rng(devices=generators), peaks:
            images = torch.randn(batch_size, *input_shape, device=device, dtype=dtype)
            real = _real(module.to(dtype), device)
            if channels_last:
                images = images.contiguous(memory_format=torch.channels_last)
                for layer in filter(lambda layer: isinstance(layer, nn.Conv2d), real.modules()):
                    layer.to(memory_format=torch.channels_last)
            _run(real, images, optimizer, peaks)
    except Exception as error:  # torch tells of too little memory in many ways, and a module may fail in any
        what = f"memory cannot be measured on {device} with {batch_size} images in {precision} ({first_line(error)})"
        raise ValueError(f"{what}: give a smaller batch, or another device or precision") from error
    found = peaks.bytes()
    return Measured(device, found["forward"], found["training step"])


def _run(module: nn.Module, images: Tensor, make: OptimizerOf, peaks: Peaks) -> None:
    with peaks.phase("forward"), torch.no_grad():
        module.eval()(images)
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    if not trained:
        with peaks.phase("training step"):
            return  # nothing is done, as where it is predicted
    optimizer = make(trained)
    module.train()
    for name in ("first step", "training step"):
        optimizer.zero_grad(set_to_none=True)
        with peaks.phase(name):
            loss_of(module(images)).backward()
            optimizer.step()


def _real(module: nn.Module, device: str) -> nn.Module:
    """A copy with values, such that activations neither vanish nor overflow: the slowest numbers are the denormal."""
    there: dict[int, Tensor] = {}
    with torch.no_grad():
        for parameter in module.parameters():
            values = torch.ones_like(parameter, device=device)
            if values.ndim > 1:
                values.normal_(std=math.sqrt(2 / values[0].numel()))
            there[id(parameter)] = nn.Parameter(values, requires_grad=parameter.requires_grad)
        for buffer in module.buffers():  # variances and means; zeros where they are indices or masks
            fill = torch.ones_like if buffer.is_floating_point() else torch.zeros_like
            there[id(buffer)] = fill(buffer, device=device)
    return copy.deepcopy(module, there)  # as its memo, so that what is shared stays shared
