"""Dropout of a batch that several processes share: each drops what one process would drop of the same rows."""

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


def share_dropout(network: nn.Module) -> RowShare | None:
    """Let a network's dropout layers draw for the whole batch, once their share of it is known; None without any.

    A network that has been given one before, or is a copy of such a network, keeps its own.
    """
    layers = [module for module in network.modules() if type(module) in (nn.Dropout, SharedDropout)]
    share = next((layer.share for layer in layers if isinstance(layer, SharedDropout)), RowShare())
    for layer in layers:
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
