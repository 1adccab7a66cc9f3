"""Float32 copies of weights held in half precision, so that steps below half a unit in the last place add up.

A bfloat16 weight has 8 bits of mantissa: a relative step under .002 leaves it as it is, however often it is taken.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import Optimizer

MASTER = "master"


def is_half(param: Tensor) -> bool:
    """Whether a tensor is bfloat16 or float16."""
    return param.dtype in (torch.bfloat16, torch.float16)


def state_like(param: Tensor) -> Tensor:
    """Zeros of a tensor's shape and layout, float32 for one in half precision."""
    dtype = torch.float32 if is_half(param) else param.dtype
    return torch.zeros_like(param, dtype=dtype, memory_format=torch.preserve_format)


class Float32Optimizer(Optimizer):
    """Base of our optimizers: a step works on float32 copies of half-precision weights, and rounds them at its end.

    The copy is the truth, part of the state (`master`), and as exact after a checkpoint. Where somebody else has
    written a weight since (a loaded checkpoint, averaged weights), the weight counts.
    """

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a state; torch rounds it to each parameter's dtype, which float32 copies must not be."""
        super().load_state_dict(state_dict)
        for group, saved in zip(self.param_groups, state_dict["param_groups"], strict=True):
            for p, place in zip(group["params"], saved["params"], strict=True):
                for name, value in state_dict["state"].get(place, {}).items() if is_half(p) else ():
                    if torch.is_tensor(value) and value.is_floating_point():
                        self.state[p][name] = value.to(p.device, torch.float32, copy=True)

    def start_master(self, param: Tensor) -> None:
        """Keep a copy of a half-precision weight; nothing for any other."""
        if is_half(param):
            self.state[param][MASTER] = param.detach().float()

    def wide(self, params: Sequence[Tensor], grads: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Weights and gradients to step on: those given, or in float32 where they are in half precision."""
        weights = [self._newest(p) if is_half(p) else p for p in params]
        return weights, [grad.float() if is_half(grad) else grad for grad in grads]

    def write_back(self, params: Sequence[Tensor], weights: Sequence[Tensor]) -> None:
        """Round what `wide` gave, and the step has changed, into the parameters."""
        for p, weight in zip(params, weights, strict=True):
            if weight is not p:
                p.copy_(weight)

    def _newest(self, param: Tensor) -> Tensor:
        master: Tensor = self.state[param][MASTER]
        return master.copy_(torch.where(master.to(param.dtype) == param, master, param.float()))
