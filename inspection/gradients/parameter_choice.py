"""Find a parameter by its name, or the default one."""

import difflib

from torch import nn


def parameter_name(model: nn.Module, layer: str | None = None) -> str:
    """The full name of a parameter.

    Args:
        model: model that has the parameter.
        layer: name of a layer, for its `weight`, or of a parameter. A parameter shared by several layers is returned by
            its first name. None: the second layer's weights, or the only layer's.

    Raises:
        ValueError: there is no such layer, the layer has several parameters and no `weight`, or the model has none.
    """
    names = [name for name, parameter in model.named_parameters() if parameter.is_floating_point()]
    if not names:
        raise ValueError(f"model {type(model).__name__} has no parameters: there is no gradient to check")
    if layer is None:
        matrices = [name for name in names if model.get_parameter(name).ndim > 1] or names
        return matrices[min(1, len(matrices) - 1)]
    first = {id(parameter): name for name, parameter in reversed([*model.named_parameters()])}
    tied = {name: first[id(parameter)] for name, parameter in model.named_parameters(remove_duplicate=False)}
    for name in (layer, f"{layer}.weight"):
        if tied.get(name) in names:
            return tied[name]
    layers = list(dict.fromkeys(name.rpartition(".")[0] or name for name in names))
    within = [name for name in names if name.startswith(layer + ".")]
    if within:
        raise ValueError(f"layer {layer} holds several parameters: name one of {_some(within)}")
    near = difflib.get_close_matches(layer, [*layers, *names], n=3, cutoff=0.5)
    hint = f"nearest: {', '.join(near)}" if near else f"there are {_some(layers)}"
    raise ValueError(f"layer {layer}: {type(model).__name__} has no parameter there: {hint}")


def _some(names: list[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
