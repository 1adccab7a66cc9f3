"""Dropout, and stochastic depth, of a batch that several processes share: each drops what one process would."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn


@dataclass
class RowShare:
    """Which rows of a step's whole batch this process has.

    Attributes:
        rows: number of rows over all processes.
        own: their places, int64 (rows of this process,), on the device; None where they are not known, and each
            process draws by itself.
    """

    rows: int = 0
    own: Tensor | None = None

    def take(self, rows: int, places: np.ndarray, device: torch.device) -> None:
        """Set the share of the step to come."""
        self.rows, self.own = rows, torch.from_numpy(places).to(device)


class SharedDropout(nn.Dropout):
    """`nn.Dropout` that draws for the whole batch and takes its own rows of that.

    The processes' generators must be in the same state, and stay so: a process without rows draws as well.
    """

    share: RowShare

    def forward(self, input: Tensor) -> Tensor:
        """Drop units of (rows, ...) floats with probability `p`, and scale the others up."""
        own = self.share.own
        if not self.training or not self.p or own is None or len(own) != len(input):
            return super().forward(input)
        shape = (self.share.rows, *input.shape[1:])
        return input * _mask(shape, self.p, input)[own]


class RowDepth(nn.Module):
    """Stochastic depth of single rows, with torchvision's draws: for the whole batch, of which it takes its own rows.

    Args:
        p: probability of setting a row to zero; the others are scaled up.
    """

    share: RowShare | None = None

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, input: Tensor) -> Tensor:
        """Drop rows of (rows, ...) floats with probability `p`."""
        if not self.training or not self.p:
            return input
        own = None if self.share is None else self.share.own
        together = self.share is not None and own is not None and len(own) == len(input)
        rows = self.share.rows if self.share is not None and together else len(input)
        kept = torch.empty((rows, *[1] * (input.dim() - 1)), dtype=input.dtype, device=input.device)
        kept = kept.bernoulli_(1 - self.p).div_(1 - self.p if self.p < 1 else 1)
        return input * (kept[own] if together else kept)


def share_dropout(network: nn.Module) -> RowShare | None:
    """Let a network's layers that drop draw for the whole batch, once their share of it is known; None without any.

    A network that has been given one before, or is a copy of such a network, keeps its own.
    """
    layers = [module for module in network.modules() if type(module) in (nn.Dropout, SharedDropout, RowDepth)]
    known = (layer.share for layer in layers if isinstance(layer, SharedDropout | RowDepth))
    share = next((one for one in known if one is not None), RowShare())
    for layer in layers:
        if not isinstance(layer, RowDepth):
            layer.__class__ = SharedDropout
        vars(layer)["share"] = share
    return share if layers else None


def _mask(shape: tuple[int, ...], p: float, like: Tensor) -> Tensor:
    """What torch's own dropout of a batch of this shape multiplies it with, from the same draws."""
    last = like.dim() == 4 and like.is_contiguous(memory_format=torch.channels_last)
    layout = torch.channels_last if last else torch.contiguous_format
    ones = torch.ones(shape, dtype=like.dtype, device=like.device).contiguous(memory_format=layout)
    if like.device.type == "cpu":
        return ones.bernoulli_(1 - p).div_(1 - p)
    return torch.native_dropout(ones, p, True)[0]
