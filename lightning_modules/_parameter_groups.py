"""Which parameters share a learning rate and a weight decay."""

from typing import Any

from torch import nn

from checks.arguments import require_not_negative

_NORMS = (
    nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm, nn.InstanceNorm1d, nn.InstanceNorm2d,
    nn.InstanceNorm3d, nn.GroupNorm, nn.LayerNorm,
)  # fmt: skip


def parameter_groups(
    module: nn.Module, spare_biases_and_norms: bool, lr_ratios: dict[str, float]
) -> list[dict[str, Any]]:
    """Split a module's trainable parameters into optimizer groups.

    A group holds (name, parameter) pairs, so that messages can name a parameter. It carries its `lr_ratio` (its
    learning rate is always ratio times the configured one), and `weight_decay` 0 where it is spared. The longest
    matching prefix decides a parameter's ratio.

    Args:
        module: module to split.
        spare_biases_and_norms: whether biases and normalisation parameters go into groups without weight decay.
        lr_ratios: ratio by prefix of the parameter's name.

    Raises:
        ValueError: a prefix matches no parameter, or a ratio is negative.
    """
    names = [name for name, parameter in module.named_parameters() if parameter.requires_grad]
    for prefix, ratio in lr_ratios.items():
        require_not_negative("0 freezes those parameters", **{f"lr_ratios[{prefix!r}]": ratio})
        if not any(_within(name, prefix) for name in names):
            raise ValueError(f"lr_ratios: no parameter begins with {prefix!r}; there are {', '.join(_roots(names))}")
    spared = _bias_and_norm_names(module) if spare_biases_and_norms else frozenset()
    parameters = dict(module.named_parameters())
    groups: dict[tuple[float, bool], dict[str, Any]] = {}
    for name in names:
        matches = [prefix for prefix in lr_ratios if _within(name, prefix)]
        ratio = lr_ratios[max(matches, key=len)] if matches else 1.0
        group = groups.setdefault((ratio, name in spared), {"params": [], "lr_ratio": ratio})
        if name in spared:
            group["weight_decay"] = 0.0
        group["params"].append((name, parameters[name]))
    return list(groups.values())


def _within(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(prefix + ".")


def _roots(names: list[str]) -> list[str]:
    return list(dict.fromkeys(name.split(".")[0] for name in names))


def _bias_and_norm_names(module: nn.Module) -> frozenset[str]:
    spared = set()
    for path, child in module.named_modules():
        for name, _ in child.named_parameters(recurse=False):
            if name == "bias" or isinstance(child, _NORMS):
                spared.add(f"{path}.{name}" if path else name)
    return frozenset(spared)
