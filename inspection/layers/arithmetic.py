"""A layer's own counts, with the arithmetic written out: `(11*11*3)*96 + 96 = 34,944`."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

Convolution = nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d


@dataclass(frozen=True)
class ParameterCount:
    """Parameters of one layer.

    Attributes:
        weights: number of parameters that are not biases.
        biases: number of parameters named bias, the shift of a normalisation included.
        written: count written out as a sum with its result; empty for a layer without parameters.
    """

    weights: int = 0
    biases: int = 0
    written: str = ""


def parameter_count(layer: nn.Module, counted: set[int] | None = None) -> ParameterCount:
    """Count a layer's own parameters and those of its children.

    Args:
        layer: layer to count.
        counted: ids of parameters that other layers share with it and have counted; the layer's own are added to them.
    """
    counted = set() if counted is None else counted
    weights = biases = 0
    for name, parameter in layer.named_parameters():
        if id(parameter) in counted:
            continue
        counted.add(id(parameter))
        if is_bias(name):
            biases += parameter.numel()
        else:
            weights += parameter.numel()
    if not weights + biases:
        return ParameterCount(written="shared, counted above" if any(True for _ in layer.parameters()) else "")
    terms = [_product(layer, weights)] if weights else []
    terms += [str(biases)] if biases else []
    return ParameterCount(weights, biases, f"{' + '.join(terms)} = {weights + biases:,}")


def is_bias(name: str) -> bool:
    """Whether a parameter is named a bias: `conv.bias`, `attention.in_proj_bias`, `lstm.bias_ih_l0`.

    What parametrises a bias, as `parametrizations.bias.original`, is one too.
    """
    *_, last = re.sub(r"\.original\d*$", "", name).split(".")
    return last.endswith("bias") or last.startswith("bias_")


def multiplications(layer: nn.Module, output_shape: Sequence[int], count: int) -> str:
    """The multiplications of a convolution or a linear layer as a product: output values times those for each value.

    Args:
        layer: convolution or linear layer; others give an empty text.
        output_shape: shape of its output without the batch: (filters, height, width), or (..., features).
        count: number of multiplications that torch counts.

    Returns:
        For example `(32*32*128)*(1*1*256) = 33,554,432`; empty where the product differs from `count`.
    """
    if isinstance(layer, Convolution) and not layer.transposed:
        filters, *sides = output_shape
        each, window = "*".join(map(str, layer.kernel_size)), layer.weight[0].numel()
        first = f"({'*'.join(map(str, (*sides, filters)))})*({each}*{_channels(layer)})"
    elif isinstance(layer, nn.Linear):
        *others, features = output_shape
        window, first = layer.in_features, "*".join(map(str, (*others, layer.in_features, features)))
    else:
        return ""
    return f"{first} = {count:,}" if math.prod(output_shape) * window == count else ""


def _product(layer: nn.Module, weights: int) -> str:
    """The weights as a product, (kernel * channels of a group) * filters, and what parametrises them besides."""
    if not isinstance(layer, Convolution | nn.Linear) or (more := weights - layer.weight.numel()) < 0:
        return str(weights)
    if isinstance(layer, nn.Linear):
        product = f"{layer.in_features}*{layer.out_features}"
    else:
        product = f"({'*'.join(map(str, layer.kernel_size))}*{_channels(layer)})*{layer.out_channels}"
    return f"{product} + {more}" if more else product


def _channels(layer: Convolution) -> str:
    """Input channels of a group, as text: `96/2`."""
    return str(layer.in_channels) + (f"/{layer.groups}" if layer.groups > 1 else "")
