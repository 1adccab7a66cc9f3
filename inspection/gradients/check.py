"""Autograd's gradient against central differences, weight by weight and step by step.

    grad_i^N = (L(theta + eps e_i) - L(theta - eps e_i)) / (2 eps), eps = 1/N

for one sample. The truncation error falls as eps^2, the round-off grows as u / eps, where u is the machine epsilon;
their sum is least near eps = u^(1/3), for a loss and weights of the order of 1 (Press et al., Numerical Recipes,
section 5.7).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from inspection.gradients.kinks import changed_sides
from inspection.gradients.parameter_choice import parameter_name
from inspection.gradients.sample_loss import SampleLoss, ShiftedLoss, one_by_one
from inspection.gradients.verdict import Verdict, verdict

NS = tuple(k * 10**i for i in range(6) for k in (1, 5))

ROUNDINGS = 50  # round-off of a deep network's loss of the order of 1, in machine epsilons


@dataclass(frozen=True)
class Differences:
    """Central differences in one precision.

    Attributes:
        loss: loss at the unshifted weights.
        gradient: autograd's gradient, computed in the same precision, float64 (p,).
        numeric: central differences, float64 (p, n).
        bend: slope ahead, (L(theta + eps e_i) - L(theta)) / eps, less the slope behind, float64 (p, n).
        rounding: machine epsilon of the precision.
        batched: whether the perturbed copies ran in batched forward passes.
    """

    loss: float
    gradient: np.ndarray
    numeric: np.ndarray
    bend: np.ndarray
    rounding: float
    batched: bool

    @property
    def difference(self) -> np.ndarray:
        """Central difference less autograd's gradient, (p, n)."""
        with np.errstate(invalid="ignore"):  # an infinite loss within the step
            return self.numeric - self.gradient[:, None]

    @property
    def largest(self) -> np.ndarray:
        """Largest absolute difference over the weights, (n,); not finite where that of one weight is not."""
        return np.abs(self.difference).max(axis=0)

    @property
    def theory(self) -> float:
        """The best eps by theory: the cube root of the machine epsilon."""
        return self.rounding ** (1 / 3)

    def best(self, ns: np.ndarray) -> int | None:
        """The N with the smallest `largest`; None where all are 0 (the loss never changes) or none is finite."""
        largest = np.where(np.isfinite(self.largest), self.largest, np.inf)
        return int(ns[largest.argmin()]) if largest.any() and np.isfinite(largest).any() else None


@dataclass(frozen=True)
class GradientCheck:
    """Result of the check of a parameter's first p weights.

    Attributes:
        parameter: name of the parameter.
        ns: N of each step 1/N, (n,).
        double, single: differences in float64 and in float32.
        kinks: number of units that change sides within eps of the point, int64 (p, n).
        kinks_by_layer: sum of these over weights and N, by layer and operation; layers without kinks are left out.
        verdicts: verdict on each weight, from float64: `agrees`; `wrong`; `kink`: the two differ, but fewer than two N
            are free of kinks, or the loss has two slopes with autograd's between them; `unclear`: the central
            differences do not converge, mostly as the gradient is below round-off, or are not finite.
    """

    parameter: str
    ns: np.ndarray
    double: Differences
    single: Differences
    kinks: np.ndarray
    kinks_by_layer: dict[str, int]
    verdicts: list[Verdict]


def check_gradient(
    sample: SampleLoss, layer: str | None = None, weights: int = 10, ns: Sequence[int] = NS
) -> GradientCheck:
    """Check autograd's gradient of the first weights of a parameter.

    Args:
        sample: model, one sample, and the loss.
        layer: name of a layer or a parameter, see `parameter_name`.
        weights: number of weights to check, the first ones of the parameter.
        ns: N of the steps 1/N, ascending.

    Raises:
        ValueError: no such layer, no weights or steps, or a loss that is not finite or differs between two calls.
    """
    if weights < 1:
        raise ValueError(f"weights must be at least 1, got {weights}: 10 is usual")
    if not ns or min(ns) < 1 or list(ns) != sorted(set(ns)):
        raise ValueError(f"ns must be whole numbers from 1 on, ascending, got {list(ns)}: try [10, 100, 1000]")
    parameter = parameter_name(sample.model, layer)
    loss = ShiftedLoss(sample, parameter, weights, torch.float64)
    _check_repeats(loss)
    double = central_differences(loss, ns)
    counts, names = changed_sides(loss, shifts(loss, ns))
    by_site = counts.reshape(loss.weights, len(ns), len(names)).cpu().numpy()
    by_layer: dict[str, int] = {}
    for name, found in zip(names, by_site.sum(axis=(0, 1)), strict=True):
        if found:
            by_layer[name] = by_layer.get(name, 0) + int(found)
    kinks = by_site.sum(axis=2)
    del loss  # a large model's second copy
    single = central_differences(ShiftedLoss(sample, parameter, weights, torch.float32), ns)
    verdicts = [
        verdict(numeric, gradient, free, np.array(ns), ROUNDINGS * double.rounding * max(1.0, abs(double.loss)), bend)
        for numeric, gradient, free, bend in zip(double.numeric, double.gradient, kinks == 0, double.bend, strict=True)
    ]
    return GradientCheck(parameter, np.array(ns), double, single, kinks, by_layer, verdicts)


def shifts(loss: ShiftedLoss, ns: Sequence[int]) -> Tensor:
    """A shift of +1/N for each weight and each N, 0 for the other weights: (p n, p), ordered by weight, then N."""
    steps = 1 / torch.tensor(ns, dtype=loss.dtype)
    single = torch.eye(loss.weights, dtype=loss.dtype)
    return (single[:, None] * steps[:, None]).flatten(0, 1).to(loss.zero().device)


def central_differences(loss: ShiftedLoss, ns: Sequence[int], batched: bool = True) -> Differences:
    """Central differences and autograd's gradient.

    Args:
        loss: loss as a function of the shifted weights.
        ns: N of the steps 1/N.
        batched: whether to run the perturbed copies in batched forward passes instead of one by one.
    """
    point = loss.zero().requires_grad_()
    value = loss(point)
    gradient = torch.zeros_like(point)  # stays zero if the loss does not depend on the weights
    if value.requires_grad:
        (gradient,) = torch.autograd.grad(value, point, allow_unused=True, materialize_grads=True)
    steps = shifts(loss, ns)
    both = torch.cat((steps, -steps))
    values, was_batched = loss.rows(loss, both) if batched else (one_by_one(loss, both), False)
    plus, minus = values.double().reshape(2, loss.weights, len(ns)).cpu().numpy()
    here = float(value.detach())
    with np.errstate(invalid="ignore", over="ignore"):  # a loss that is infinite within the step
        numeric = (plus - minus) * np.array(ns) / 2
        bend = ((plus - here) - (here - minus)) * np.array(ns)
    rounding = torch.finfo(loss.dtype).eps
    return Differences(here, gradient.double().cpu().numpy(), numeric, bend, rounding, was_batched)


def _check_repeats(loss: ShiftedLoss) -> None:
    with torch.no_grad():
        first, second = float(loss(loss.zero())), float(loss(loss.zero()))
    if not np.isfinite(first):
        raise ValueError(f"loss is {first} at this sample: there is no gradient to check; train with a lower lr")
    if first != second:
        raise ValueError(
            "model gives another loss at each call: keep it from drawing random numbers in evaluation mode"
        )
