"""All that `cadence describe` prints of one model: its layers, and its memory, predicted and measured."""

import copy
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.utils.parametrize import is_parametrized, remove_parametrizations

from inspection import first_line
from inspection.inputs import Inputs, inputs_of, told
from inspection.layers.arithmetic import Convolution
from inspection.layers.trace import NoTensor, Trace, trace
from inspection.memory.measured import Measured, measure
from inspection.memory.predicted import Memory, OptimizerOf, dtype_of, predict

_OF_VALUES = ("meta tensor", "data-independent")  # in torch's errors where an operation needs values


@dataclass(frozen=True)
class Description:
    """Layers and memory of one model.

    Attributes:
        name: name of the model.
        trace: layers of the model, for one image.
        memory: predicted memory for a batch.
        batch_size: number of images in that batch.
        precision: precision of the prediction.
        optimizer: name of the optimizer.
        measured: memory found on a device; None where no device was given.
    """

    name: str
    trace: Trace
    memory: Memory
    batch_size: int
    precision: str
    optimizer: str
    measured: Measured | None = None


def describe(
    name: str,
    module: nn.Module,
    inputs: Inputs,
    *,
    batch_size: int = 64,
    precision: str = "32-true",
    optimizer: OptimizerOf = torch.optim.SGD,
    optimizer_name: str = "SGD",
    measure_on: str | None = None,
    channels_last: bool = False,
) -> Description:
    """Trace a module and predict its memory; measure it too where a device is named.

    Args:
        name: name of the model, for messages.
        module: model on the meta device; its dtype and its mode are changed.
        inputs: (channels, height, width) of its images, or its inputs.
        batch_size: number of images in a batch.
        precision: one of 64-true, 32-true, 16-true and bf16-true.
        optimizer: function from a list of parameters to their optimizer.
        optimizer_name: name of that optimizer.
        measure_on: device to measure real steps on, cpu or cuda; None only predicts.
        channels_last: whether to measure in channels-last layout, in which Cadence trains its own models.

    Raises:
        ValueError: a size is not positive, the module does not take such a batch, or it cannot be measured; names what
            to change.
    """
    inputs = inputs_of(inputs)
    for one in inputs:
        if any(size < 1 for size in one.shape):
            raise ValueError(f"--input-shape must be positive, got {one}: try 3,32,32")
    if batch_size < 1:
        raise ValueError(f"--batch-size must be at least 1, got {batch_size}: try 64")
    dtype_of(precision)  # before the module is run, whose errors say something else
    fresh = copy.deepcopy(module) if measure_on is not None else module  # before forward passes leave tensors on it
    try:
        traced = trace(module, inputs)
    except NoTensor as error:
        raise ValueError(f"{name} returns no tensor: name a module that does") from error
    except Exception as error:
        said = first_line(error)
        if 'missing the required "forward"' in said:
            raise ValueError(f"{name} has no forward of its own: name a module that does") from error
        if any(clue in said for clue in _OF_VALUES):
            why = "its forward pass reads values, and there are none where nothing is computed"
            raise ValueError(f"{name} cannot be described: {why} ({said})") from error
        what = f"{name} does not take {told(inputs)} ({said})"
        raise ValueError(f"{what}: give another --input-shape or --input-dtype") from error
    try:
        memory = predict(module, inputs, batch_size, optimizer, precision)
    except Exception as error:
        what = f"{name} cannot be trained on {batch_size} {told(inputs)} ({first_line(error)})"
        remedy = "give another --batch-size or --input-shape, or a module that a loss can train"
        raise ValueError(f"{what}: {remedy}") from error
    measured = None
    if measure_on is not None:
        measured = measure(
            fresh,
            inputs,
            batch_size,
            optimizer,
            precision,
            device=measure_on,
            expected=memory.training_step,
            channels_last=channels_last,
        )
    return Description(name, traced, memory, batch_size, precision, optimizer_name, measured)


def without_biases(module: nn.Module) -> nn.Module:
    """Take the biases away from convolutions and linear layers, in place; normalisations keep their shift."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear | Convolution) and layer.bias is not None:
            if is_parametrized(layer, "bias"):
                remove_parametrizations(layer, "bias")
            layer.register_parameter("bias", None)
    return module
