"""What Madam and B-bit Madam share: bounds, normalised gradients, and the policy for tensors that start at zero.

Source: Bernstein, Zhao, Meister, Liu, Anandkumar and Yue, 'Learning compositional functions via multiplicative weight
updates', 2020 (arXiv 2006.14560), algorithm 1 and the authors' published code.
"""

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.parameter import is_lazy
from torch.optim.optimizer import ParamsT

from checks.arguments import require_choice, require_number, require_seed
from optimizers._float32 import Float32Optimizer, state_like
from optimizers._gradients import dense_gradients, use_foreach

BETA = 0.999
ZeroTensors = Literal["raise", "sgd", "perturb"]
_MANY_ZEROS = 0.01


def normalised_gradient(grad: Tensor, exp_avg_sq: Tensor, step: int, g_bound: float) -> Tensor:
    """g / sqrt(v / (1 - .999^t)) clamped to +-g_bound: the slow, obvious version.

    The root is at least the smallest normal number, so that 0 / 0 counts as 0. A gradient that is itself NaN or
    infinite gives NaN: a diverged run shows, it does not freeze.

    Args:
        grad: gradient g, any shape.
        exp_avg_sq: running mean square v, same shape; updated in place.
        step: t, counted from 1.
        g_bound: largest magnitude of the result.
    """
    exp_avg_sq.mul_(BETA).addcmul_(grad, grad, value=1 - BETA)
    root = (exp_avg_sq / (1 - BETA**step)).sqrt()
    return (grad / root.clamp(min=torch.finfo(root.dtype).tiny)).clamp(-g_bound, g_bound)


def normalised_gradients_foreach(
    grads: list[Tensor], exp_avg_sqs: list[Tensor], steps: Sequence[int], g_bound: float
) -> list[Tensor]:
    """`normalised_gradient` of many tensors at once; the results are new tensors."""
    torch._foreach_mul_(exp_avg_sqs, BETA)
    torch._foreach_addcmul_(exp_avg_sqs, grads, grads, value=1 - BETA)
    roots = torch._foreach_div(exp_avg_sqs, [1 - BETA**step for step in steps])
    torch._foreach_sqrt_(roots)
    torch._foreach_clamp_min_(roots, [torch.finfo(root.dtype).tiny for root in roots])
    hats = torch._foreach_div(grads, roots)
    torch._foreach_clamp_min_(hats, -g_bound)
    torch._foreach_clamp_max_(hats, g_bound)
    return list(hats)


class MultiplicativeOptimizer(Float32Optimizer):
    """Base of Madam and B-bit Madam: state, zero policy and the order of a step; a subclass multiplies the weights.

    State of a tensor: `step` (int), `exp_avg_sq`, `bound` (float, p_scale * RMS at the start, infinite for an additive
    tensor), `additive` (bool), and in half precision `master`. Tensors are measured once, when they join the optimizer
    (or at their first gradient, if they are not materialised or not trainable before): a step itself never waits for
    the device.
    """

    # Class-level, as torch pickles and copies an optimizer without its other attributes.
    _constructing = False

    def __init__(self, params: ParamsT, defaults: dict[str, Any]) -> None:
        self._constructing = True
        super().__init__(params, defaults)
        self._constructing = False
        self._start(self.param_groups)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group and measure its tensors.

        Raises:
            ValueError: an option is out of range, or `zero_tensors` is 'raise' and a tensor is all zero; the optimizer
                is then as it was before.
        """
        super().add_param_group(param_group)
        try:
            self._check_group(self.param_groups[-1])
            if not self._constructing:
                self._start(self.param_groups[-1:])
        except ValueError:
            self.param_groups.pop()
            raise

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step over every tensor that has a gradient.

        Args:
            closure: computes the loss anew, with gradients; its value is returned.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            if not params:
                continue
            if any(not self.state[p] for p in params):
                self._start([group])
            grads, states = dense_gradients(params), [self.state[p] for p in params]
            for state in states:
                state["step"] += 1
            weights, grads = self.wide(params, grads)
            if use_foreach(group["foreach"], weights):
                self._step_foreach(group, weights, grads, states)
            else:
                self._step_loop(group, weights, grads, states)
            self.write_back(params, weights)
        return loss

    def _step_loop(
        self, group: dict[str, Any], params: list[Tensor], grads: list[Tensor], states: list[dict[str, Any]]
    ) -> None:
        for p, grad, state in zip(params, grads, states, strict=True):
            hat = normalised_gradient(grad, state["exp_avg_sq"], state["step"], group["g_bound"])
            if state["additive"]:
                p.sub_(group["lr"] * hat)
            else:
                self._multiply(group, p, hat, state)

    def _step_foreach(
        self, group: dict[str, Any], params: list[Tensor], grads: list[Tensor], states: list[dict[str, Any]]
    ) -> None:
        averages, steps = [state["exp_avg_sq"] for state in states], [state["step"] for state in states]
        hats = normalised_gradients_foreach(grads, averages, steps, group["g_bound"])
        rows = list(zip(params, hats, states, strict=True))
        if added := [row for row in rows if row[2]["additive"]]:
            torch._foreach_add_([row[0] for row in added], [row[1] for row in added], alpha=-group["lr"])
        if multiplied := [row for row in rows if not row[2]["additive"]]:
            self._multiply_foreach(group, *map(list, zip(*multiplied, strict=True)))

    def _multiply(self, group: dict[str, Any], param: Tensor, hat: Tensor, state: dict[str, Any]) -> None:
        raise NotImplementedError

    def _multiply_foreach(
        self, group: dict[str, Any], params: list[Tensor], hats: list[Tensor], states: list[dict[str, Any]]
    ) -> None:
        raise NotImplementedError

    def _begin(self, group: dict[str, Any], param: Tensor, state: dict[str, Any], generator: torch.Generator) -> None:
        """Add to a new tensor's state what the subclass needs."""

    def _check_group(self, group: dict[str, Any]) -> None:
        require_number("[0, inf)", "Madam's own is 0.01", lr=group["lr"])
        require_number("(0, inf)", "Madam's own is 3", p_scale=group["p_scale"])
        require_number("(0, inf)", "Madam's own is 10", g_bound=group["g_bound"])
        require_number("(0, inf)", "try 0.1", zero_std=group["zero_std"])
        require_seed(seed=group["seed"])
        require_choice(("raise", "sgd", "perturb"), zero_tensors=group["zero_tensors"])
        for p in group["params"]:
            if not p.is_floating_point():
                raise ValueError(f"params must be floating-point tensors, got {p.dtype}: leave that tensor out")

    def _new_tensors(self, groups: Sequence[dict[str, Any]]) -> Iterator[tuple[int, str, dict[str, Any], Tensor]]:
        """Tensors without state, each with its place in the whole optimizer and a name for messages."""
        place = -1
        for number, group in enumerate(self.param_groups):
            for i, p in enumerate(group["params"]):
                place += 1
                ready = not (is_lazy(p) or p.is_meta) and (p.requires_grad or p.grad is not None)
                if ready and not self.state.get(p) and any(group is wanted for wanted in groups):
                    names = group.get("param_names")
                    yield place, f"{names[i] if names else f'group {number} tensor {i}'} {tuple(p.shape)}", group, p

    @torch.no_grad()
    def _start(self, groups: Sequence[dict[str, Any]]) -> None:
        new = [(*row, _rms(row[3])) for row in self._new_tensors(groups)]
        for _, label, _, _, rms in new:
            if not math.isfinite(rms):
                raise ValueError(f"params must be finite, got {label} with RMS {rms}: initialise it again")
        frozen = [label for _, label, group, _, rms in new if rms == 0 and group["zero_tensors"] == "raise"]
        if frozen:
            listed = ", ".join(frozen[:8]) + (f" and {len(frozen) - 8} more" if len(frozen) > 8 else "")
            raise ValueError(
                f"zero_tensors is 'raise' and these start at zero, where no factor can move them: {listed}; give "
                "zero_tensors 'sgd' (additive steps) or 'perturb' (drawn from N(0, zero_std)), or initialise them"
            )
        for place, label, group, p, rms in new:
            # Not torch's global generator: the draw depends on nothing but the seed and the tensor's place.
            generator = torch.Generator().manual_seed((group["seed"] * 1_000_003 + place) % 2**63)
            if rms == 0 and group["zero_tensors"] == "perturb":
                p.copy_(torch.randn(p.shape, generator=generator) * group["zero_std"])
                rms = _rms(p)
            additive = rms == 0
            state = self.state[p]
            state["step"] = 0
            state["exp_avg_sq"] = state_like(p)
            self.start_master(p)
            state["bound"] = math.inf if additive else group["p_scale"] * rms
            state["additive"] = additive
            self._begin(group, p, state, generator)
            if not additive:
                _warn_of_zeros(label, p)


def _rms(p: Tensor) -> float:
    if p.numel() == 0:
        return 1.0
    norm = torch.linalg.vector_norm(p, dtype=torch.promote_types(p.dtype, torch.float32))
    return float(norm) / math.sqrt(p.numel())


def _warn_of_zeros(label: str, p: Tensor) -> None:
    zeros = p.numel() - int(torch.count_nonzero(p))
    if zeros > _MANY_ZEROS * p.numel():
        warnings.warn(
            f"{zeros} of {p.numel()} elements of {label} are exactly zero and stay so: Madam multiplies; "
            "initialise them otherwise if they are to learn",
            stacklevel=4,
        )
