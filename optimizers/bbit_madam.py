"""B-bit Madam: weights held as a sign and an integer exponent of B bits.

Source: Bernstein et al., 'Learning compositional functions via multiplicative weight updates', 2020 (arXiv 2006.14560),
section on B-bit Madam; table of bits and base rates as published.
"""

import warnings
from typing import Any, Literal

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from checks.arguments import require_choice, require_number
from optimizers._multiplicative import MultiplicativeOptimizer, ZeroTensors

PUBLISHED_BASE_LR = {8: 0.01, 10: 0.005, 12: 0.001}


def encode(param: Tensor, bound: float, base_lr: float, levels: int) -> tuple[Tensor, Tensor]:
    """Sign (int8, +-1) and exponent k (int16, 0..levels-1) whose weight is nearest to each element, in log magnitude.

    There is no code for zero: a zero element takes the smallest magnitude and the sign +.
    """
    sign = torch.where(param < 0, -1, 1).to(torch.int8)
    exponent = torch.round(torch.log(bound / param.abs()) / base_lr).clamp(0, levels - 1)
    return sign, exponent.to(torch.int16)


def decode(sign: Tensor, exponent: Tensor, bound: float, base_lr: float, dtype: torch.dtype) -> Tensor:
    """The weights sign * bound * exp(-base_lr * k), in `dtype`."""
    return torch.exp(exponent.to(dtype) * -base_lr) * sign * bound


def bbit_update(
    param: Tensor, hat: Tensor, sign: Tensor, exponent: Tensor, lr: float, base_lr: float, bound: float, levels: int
) -> None:
    """k <- clamp(k + round(g_hat * lr / base_lr) * sign, 0, levels - 1), then decode; the slow, obvious version.

    A positive gradient on a positive weight makes k grow and the weight shrink. A NaN in `hat` makes the decoded weight
    NaN, though no code stands for NaN.

    Args:
        param: the decoded weights, any shape; written.
        hat: normalised gradient, same shape.
        sign: int8, same shape.
        exponent: int16 k, same shape; written.
        lr: learning rate.
        base_lr: log ratio of two neighbouring magnitudes.
        bound: largest magnitude.
        levels: number of magnitudes.
    """
    k = (exponent + torch.round(hat * (lr / base_lr)) * sign).clamp(0, levels - 1)
    exponent.copy_(k)
    param.copy_(decode(sign, k, bound, base_lr, param.dtype))


def bbit_update_foreach(
    params: list[Tensor],
    hats: list[Tensor],
    signs: list[Tensor],
    exponents: list[Tensor],
    lr: float,
    base_lr: float,
    bounds: list[float],
    levels: int,
) -> None:
    """`bbit_update` of many tensors at once; `hats` are used up."""
    torch._foreach_mul_(hats, lr / base_lr)
    torch._foreach_round_(hats)
    torch._foreach_mul_(hats, signs)
    torch._foreach_add_(hats, exponents)
    torch._foreach_clamp_min_(hats, 0)
    torch._foreach_clamp_max_(hats, levels - 1)
    torch._foreach_copy_(exponents, hats)
    torch._foreach_mul_(hats, -base_lr)
    torch._foreach_exp_(hats)
    torch._foreach_mul_(hats, signs)
    torch._foreach_mul_(hats, bounds)
    torch._foreach_copy_(params, hats)


def storage_bits(optimizer: "BBitMadam") -> int:
    """Bits of all measured weights in the format: each weight's own, and 32 for each encoded tensor's bound.

    A run holds more: 24 bits of codes a weight, and the decoded float (`BBitMadam`).
    """
    total = 0
    for group in optimizer.param_groups:
        for p in group["params"]:
            if state := optimizer.state.get(p):
                total += p.numel() * state["bits_per_weight"] + (0 if state["additive"] else 32)
    return total


class BBitMadam(MultiplicativeOptimizer):
    """Madam on weights of a sign and B exponent bits: |w| = bound * exp(-base_lr * k), integer k in 0..2^B - 1.

    The codes in the optimizer's state (`sign`, int8, and `exponent`, int16) are the truth, and the parameters are their
    decoded floats: they are rewritten when the optimizer is built, at every step and when a state is loaded.
    k <- clamp(k + round(g_hat * lr / base_lr) * sign w, 0, 2^B - 1), with Madam's g_hat and bound.

    `bits` counts the exponent alone, as published; a weight takes bits + 1 with its sign. State says so for each tensor
    (`bits_per_weight`), and `storage_bits` counts them. That is what the format needs, not what a run holds: torch
    computes on floats, so a weight is held as one, beside 24 bits of codes and a float v. Nothing is saved in training;
    what is studied is how well so few values train. Only weights are low-precision: g_hat and v are floats.

    lr / base_lr is the number of exponents that g_hat = 1 moves (the authors' lr_factor), so that schedules write `lr`
    as usual. Where lr * |g_hat| < base_lr / 2 the step rounds to none: an lr below base_lr / (2 g_bound) moves nothing.

    Args:
        params: tensors (float32 or float64), or groups of them; named ones are named in messages.
        lr: learning rate; rounded steps of lr / base_lr exponents.
        bits: bits of the exponent, 1 to 15; 8, 10 and 12 are published.
        base_lr: log ratio of neighbouring magnitudes; null takes the published .01, .005, .001 for 8, 10, 12 bits.
        initial: 'nearest' encodes the weights that the module starts with, 'uniform' keeps their signs and draws k
            uniformly, as the authors do.
        p_scale: largest magnitude in units of the tensor's RMS at the start.
        g_bound: bound of the normalised gradient.
        zero_tensors: what to do with a tensor that starts all zero: 'raise' names it, 'sgd' keeps it as floats with
            steps p <- p - lr * g_hat, 'perturb' draws it from N(0, zero_std) and encodes it.
        zero_std: standard deviation of 'perturb'.
        seed: seed of 'perturb' and 'uniform'; torch's global generator is neither read nor moved.
        foreach: many tensors at once (True), one by one (False), or by device and dtype (null).

    Raises:
        ValueError: an option is out of range, bits are unpublished and base_lr is missing, a tensor is not finite or of
            lower precision, or one starts at zero under 'raise'.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 0.01,
        bits: int = 12,
        base_lr: float | None = None,
        initial: Literal["nearest", "uniform"] = "nearest",
        p_scale: float = 3.0,
        g_bound: float = 10.0,
        zero_tensors: ZeroTensors = "raise",
        zero_std: float = 0.1,
        seed: int = 0,
        foreach: bool | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "bits": bits,
            "base_lr": base_lr,
            "initial": initial,
            "p_scale": p_scale,
            "g_bound": g_bound,
            "zero_tensors": zero_tensors,
            "zero_std": zero_std,
            "seed": seed,
            "foreach": foreach,
        }
        super().__init__(params, defaults)

    def bits_per_weight(self) -> float:
        """Mean bits a weight takes in the format, sign and the tensors' bounds included."""
        weights = sum(p.numel() for group in self.param_groups for p in group["params"] if self.state.get(p))
        return storage_bits(self) / weights

    def state_dict(self) -> dict[str, Any]:
        """The state, with the weights of additive tensors: building an optimizer over them again would encode them."""
        packed = super().state_dict()
        params = [p for group in self.param_groups for p in group["params"]]
        for place, state in packed["state"].items():
            if state.get("additive"):
                packed["state"][place] = {**state, "weight": params[place].detach()}
        return packed

    @torch.no_grad()
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a state, and write the weights that it encodes into the parameters."""
        super().load_state_dict(state_dict)
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state.get(p)
                if not state:
                    continue
                if state["additive"]:
                    p.copy_(state.pop("weight"))
                else:
                    # torch casts a float parameter's state to its dtype; integers below 2^24 come back exact.
                    state["sign"] = state["sign"].to(torch.int8)
                    state["exponent"] = state["exponent"].to(torch.int16)
                    p.copy_(decode(state["sign"], state["exponent"], state["bound"], group["base_lr"], p.dtype))

    def _check_group(self, group: dict[str, Any]) -> None:
        super()._check_group(group)
        bits = group["bits"]
        if not isinstance(bits, int) or isinstance(bits, bool) or not 1 <= bits <= 15:
            raise ValueError(f"bits must be a whole number from 1 to 15, got {bits!r}: 8, 10 and 12 are published")
        if group["base_lr"] is None:
            if bits not in PUBLISHED_BASE_LR:
                raise ValueError(f"base_lr must be given where bits is {bits}: only 8, 10 and 12 have a published one")
            group["base_lr"] = PUBLISHED_BASE_LR[bits]
        require_number("(0, 1]", "try 0.001", base_lr=group["base_lr"])
        require_choice(("nearest", "uniform"), initial=group["initial"])
        for p in group["params"]:
            if p.dtype not in (torch.float32, torch.float64):
                raise ValueError(
                    f"params must be float32 or float64, got {p.dtype}, which rounds decoded weights to each other: "
                    "set trainer.precision to bf16-mixed, or take Madam"
                )
        if 0 < group["lr"] * group["g_bound"] < group["base_lr"] / 2:
            warnings.warn(
                f"lr {group['lr']} moves no weight of {bits} bits: steps below base_lr / (2 g_bound) = "
                f"{group['base_lr'] / (2 * group['g_bound']):g} round to none",
                stacklevel=4,
            )

    def _begin(self, group: dict[str, Any], param: Tensor, state: dict[str, Any], generator: torch.Generator) -> None:
        if state["additive"]:
            state["bits_per_weight"] = 8 * param.element_size()
            return
        levels, base_lr = 2 ** group["bits"], group["base_lr"]
        state["bits_per_weight"] = group["bits"] + 1
        sign, exponent = encode(param, state["bound"], base_lr, levels)
        if group["initial"] == "uniform":
            exponent.copy_(torch.randint(levels, param.shape, generator=generator))
        state["sign"], state["exponent"] = sign, exponent
        param.copy_(decode(sign, exponent, state["bound"], base_lr, param.dtype))

    def _multiply(self, group: dict[str, Any], param: Tensor, hat: Tensor, state: dict[str, Any]) -> None:
        lr, base_lr, levels = group["lr"], group["base_lr"], 2 ** group["bits"]
        bbit_update(param, hat, state["sign"], state["exponent"], lr, base_lr, state["bound"], levels)

    def _multiply_foreach(
        self, group: dict[str, Any], params: list[Tensor], hats: list[Tensor], states: list[dict[str, Any]]
    ) -> None:
        signs, exponents = [state["sign"] for state in states], [state["exponent"] for state in states]
        bounds = [state["bound"] for state in states]
        lr, base_lr, levels = group["lr"], group["base_lr"], 2 ** group["bits"]
        bbit_update_foreach(params, hats, signs, exponents, lr, base_lr, bounds, levels)
