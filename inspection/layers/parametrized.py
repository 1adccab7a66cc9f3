"""Which modules are layers, those with computed parameters included: weight norm, spectral norm, orthogonal weights.

`torch.nn.utils.parametrize` gives a layer a child that computes its weight at each use. The layer stays one; the child
is none.
"""

from collections.abc import Iterator

from torch import nn
from torch.nn.utils.parametrize import ParametrizationList, is_parametrized, type_before_parametrizations


def layers(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Names and modules of all layers, those that compute another layer's parameters left out."""
    computing = {id(part) for found in parametrizations(module) for part in found.modules()}
    yield from ((name, part) for name, part in module.named_modules() if is_layer(part) and id(part) not in computing)


def parametrizations(module: nn.Module) -> list[nn.Module]:
    """The modules that compute a parameter, one a parameter."""
    return [part for part in module.modules() if isinstance(part, ParametrizationList)]


def is_layer(module: nn.Module) -> bool:
    """Whether a module gets a row: it has no child modules, or bypasses their forward, as attention does."""
    own = getattr(module, "parametrizations", None) if is_parametrized(module) else None
    children = [child for child in module.children() if child is not own]
    return (not children or isinstance(module, nn.MultiheadAttention)) and not isinstance(module, nn.Identity)


def kind(module: nn.Module) -> str:
    """Name of a layer's class, as it was before its parameters were parametrised."""
    return type_before_parametrizations(module).__name__
