"""What tests of the architectures share: shapes of layers in one forward pass, and parameters by layer."""

import torch
from torch import Tensor, nn


def shapes(model: nn.Module, names: list[str], images: Tensor) -> list[tuple[int, ...]]:
    """Output shapes, without the batch, of the named submodules during one forward pass."""
    seen: dict[str, tuple[int, ...]] = {}

    def keep(name: str):  # type: ignore[no-untyped-def]
        return lambda module, inputs, output: seen.__setitem__(name, tuple(output.shape[1:]))

    handles = [model.get_submodule(name).register_forward_hook(keep(name)) for name in names]
    with torch.no_grad():
        model.eval()(images)
    for handle in handles:
        handle.remove()
    return [seen[name] for name in names]


def counts_by_layer(model: nn.Module) -> list[int]:
    own = (sum(p.numel() for p in module.parameters(recurse=False)) for module in model.modules())
    return [count for count in own if count]
