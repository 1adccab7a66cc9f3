"""A layer's own parameters, counted and written out as the homework asks: `(11*11*3)*96 + 96 = 34,944`."""

from dataclasses import dataclass

from torch import nn
from torch.nn.modules.conv import _ConvNd


@dataclass(frozen=True)
class ParameterCount:
    """Parameters of one layer.

    Attributes:
        weights: all that is no bias.
        biases: parameters by the name of `bias`, the shift of a normalisation among them.
        written: the count as a sum with its result; empty where there is nothing to count.
    """

    weights: int = 0
    biases: int = 0
    written: str = ""


def parameter_count(layer: nn.Module, counted: set[int] | None = None) -> ParameterCount:
    """Count a layer's own parameters and those of its children.

    Args:
        layer: the layer.
        counted: ids of parameters that another layer has brought; they are left out, and the layer's are added.
    """
    counted = set() if counted is None else counted
    weights = biases = 0
    for name, parameter in layer.named_parameters():
        if id(parameter) in counted:
            continue
        counted.add(id(parameter))
        if name.rpartition(".")[2].endswith("bias"):
            biases += parameter.numel()
        else:
            weights += parameter.numel()
    if not weights + biases:
        return ParameterCount(written="shared, counted above" if any(True for _ in layer.parameters()) else "")
    terms = [_product(layer, weights)] if weights else []
    terms += [str(biases)] if biases else []
    return ParameterCount(weights, biases, f"{' + '.join(terms)} = {weights + biases:,}")


def _product(layer: nn.Module, weights: int) -> str:
    """The weights as a product: kernel * channels of a group, times filters."""
    if isinstance(layer, _ConvNd) and layer.weight.numel() == weights:
        channels = str(layer.in_channels) + (f"/{layer.groups}" if layer.groups > 1 else "")
        kernel = "*".join(map(str, layer.kernel_size))
        return f"({kernel}*{channels})*{layer.out_channels}"
    if isinstance(layer, nn.Linear) and layer.weight.numel() == weights:
        return f"{layer.in_features}*{layer.out_features}"
    return str(weights)
