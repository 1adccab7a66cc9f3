"""Madam: Adam's normalisation, a multiplicative step.

Source: Bernstein et al., 'Learning compositional functions via multiplicative weight updates', 2020 (arXiv 2006.14560),
algorithm 1; constants as in the authors' published code.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from optimizers._multiplicative import MultiplicativeOptimizer, ZeroTensors


def madam_update(param: Tensor, hat: Tensor, lr: float, bound: float) -> None:
    """p <- clamp(p * exp(-lr * g_hat * sign p), +-bound) in place: the slow, obvious version.

    Args:
        param: p, any shape.
        hat: g_hat, the normalised gradient, same shape.
        lr: learning rate.
        bound: largest magnitude of a weight.
    """
    param.copy_((param * torch.exp(-lr * hat * torch.sign(param))).clamp(-bound, bound))


def madam_update_foreach(params: list[Tensor], hats: list[Tensor], lr: float, bounds: Sequence[float]) -> None:
    """`madam_update` of many tensors at once; `hats` are used up."""
    torch._foreach_mul_(hats, -lr)
    torch._foreach_mul_(hats, torch._foreach_sign(params))
    torch._foreach_exp_(hats)
    torch._foreach_mul_(params, hats)
    torch._foreach_clamp_min_(params, [-bound for bound in bounds])
    torch._foreach_clamp_max_(params, list(bounds))


class Madam(MultiplicativeOptimizer):
    """Multiplicative Adam: every weight is scaled by exp(-+lr * g_hat) and keeps its sign.

    Per tensor, with bound = p_scale * RMS(p at the start):
    v <- .999 v + .001 g^2; g_hat = clamp(g / sqrt(v / (1 - .999^t)), +-g_bound), 0 / 0 being 0;
    p <- clamp(p * exp(-lr * g_hat * sign p), +-bound).

    Weights never change sign, and an element that is exactly zero stays so; where such elements make up more than 1 %
    of a tensor, there is a warning. It has no momentum and no weight decay: the bound is the regulariser.

    Args:
        params: tensors, or groups of them; named ones are named in messages.
        lr: relative change of a weight for a typical gradient.
        p_scale: a weight's bound in units of its tensor's RMS at the start.
        g_bound: bound of the normalised gradient; a step changes a weight by at most the factor exp(lr * g_bound).
        zero_tensors: what to do with a tensor that starts all zero (such as batch norm's shift): 'raise' names it and
            the remedies, 'sgd' updates it by p <- p - lr * g_hat without a bound, 'perturb' draws it once from
            N(0, zero_std).
        zero_std: standard deviation of 'perturb'.
        seed: seed of 'perturb'; torch's global generator is neither read nor moved.
        foreach: many tensors at once (True), one by one (False), or by device and dtype (null).

    Raises:
        ValueError: an option is out of range, a tensor is not finite, or one starts at zero under 'raise'.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 0.01,
        p_scale: float = 3.0,
        g_bound: float = 10.0,
        zero_tensors: ZeroTensors = "raise",
        zero_std: float = 0.1,
        seed: int = 0,
        foreach: bool | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "p_scale": p_scale,
            "g_bound": g_bound,
            "zero_tensors": zero_tensors,
            "zero_std": zero_std,
            "seed": seed,
            "foreach": foreach,
        }
        super().__init__(params, defaults)

    def _multiply(self, group: dict[str, Any], param: Tensor, hat: Tensor, state: dict[str, Any]) -> None:
        madam_update(param, hat, group["lr"], state["bound"])

    def _multiply_foreach(
        self, group: dict[str, Any], params: list[Tensor], hats: list[Tensor], states: list[dict[str, Any]]
    ) -> None:
        madam_update_foreach(params, hats, group["lr"], [state["bound"] for state in states])
