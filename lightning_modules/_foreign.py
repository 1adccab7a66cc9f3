"""Networks of other libraries: which name is meant, which images they take, and their first convolution."""

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.func import functional_call

from lightning_modules._checks import require_image_size_from
from lightning_modules.shared_dropout import RowDepth

_KEPT = ("kernel_size", "stride", "padding", "dilation", "groups", "padding_mode")  # of a convolution's arguments
USUAL = 224  # the side that such networks are made for


@dataclass(frozen=True)
class Trial:
    """What one image of a given size meets in a network.

    Attributes:
        refusal: first line of why the network does not take it; "" if it does.
        single_values: whether a batch normalisation gets one value a channel, so that it cannot train on one image.
    """

    refusal: str
    single_values: bool


def require_name(library: str, name: str, known: Iterable[str]) -> None:
    """Raise ValueError, with the nearest names, unless the library has a network of that name."""
    names = list(known)
    if name not in names:
        near = difflib.get_close_matches(name.lower(), names, n=3, cutoff=0.5)
        hint = f"nearest: {', '.join(near)}" if near else f"it has {', '.join(names[:8])} and others"
        raise ValueError(f"name: {library} has no network {name!r} for classification: {hint}")


def tried(network: nn.Module, channels: int, side: int) -> Trial:
    """One image through a network on the meta device: without arithmetic, and without a change to the network.

    Args:
        network: the network, on any device.
        channels: channels of the image.
        side: side of the image, in pixels.
    """
    single: list[bool] = []

    def look(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        single.append(inputs[0].shape[0] == 1 and inputs[0].shape[2:].numel() == 1)

    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)]
    hooks = [norm.register_forward_pre_hook(look) for norm in norms]
    tensors = {name: one.detach().to("meta") for name, one in (*network.named_parameters(), *network.named_buffers())}
    trained = network.training
    network.eval()
    try:
        with torch.no_grad(), torch.device("meta"):
            functional_call(network, tensors, (torch.empty(1, channels, side, side),))
    except (RuntimeError, ValueError, AssertionError) as error:
        return Trial(str(error).partition("\n")[0] or type(error).__name__, False)
    finally:
        network.train(trained)
        for hook in hooks:
            hook.remove()
    return Trial("", any(single))


def require_side(name: str, trial: Trial, side: int, trial_of: Callable[[int], Trial]) -> None:
    """Raise ValueError, with the smallest side that will do, unless a network took images of a side.

    Args:
        name: name of the network.
        trial: what an image of that side met.
        side: side of the image, in pixels.
        trial_of: function that tries another side; once taken, all larger ones are.
    """
    if not trial.refusal:
        return
    lower, upper = side, USUAL
    if lower >= upper or trial_of(upper).refusal:
        raise ValueError(
            f"{name} takes no images of {side} x {side} ({trial.refusal}): try data.image_size {USUAL}, the usual one"
        )
    while upper - lower > 1:
        middle = (lower + upper) // 2
        lower, upper = (middle, upper) if trial_of(middle).refusal else (lower, middle)
    require_image_size_from(name, side, smallest=upper)


def take_own_depth(network: nn.Module, theirs: type[nn.Module]) -> None:
    """Put stochastic depth that processes can share in the place of a library's, whose rows are dropped singly.

    Args:
        network: the network.
        theirs: the library's class, with `p` and `mode`.
    """
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, theirs) and child.mode == "row":
                setattr(module, name, RowDepth(float(child.p)))  # type: ignore[arg-type]


def take_channels(network: nn.Module, channels: int) -> None:
    """Put a convolution for images of `channels` channels in the place of the network's first, if that takes others.

    It keeps kernel, stride, padding and the like, and starts from torch's default.

    Raises:
        ValueError: the network has no convolution.
    """
    first = next(((name, one) for name, one in network.named_modules() if isinstance(one, nn.Conv2d)), None)
    if first is None:
        raise ValueError(
            f"{type(network).__name__} has no convolution that could take other channels: set data.in_channels to 3"
        )
    name, old = first
    if old.in_channels == channels:
        return
    options: dict[str, Any] = {part: getattr(old, part) for part in _KEPT}
    new = nn.Conv2d(channels, old.out_channels, bias=old.bias is not None, **options)
    holder, _, last = name.rpartition(".")
    setattr(network.get_submodule(holder), last, new)
