"""Units that stand on another side at +eps than at -eps: between the two, the loss is not differentiable.

A central difference over a kink is the mean of two slopes, and differs from autograd's gradient, which is one of them,
without either being wrong. Seen are ReLU and its kin, absolute values, clamps and max-pooling, as functions, methods or
layers. Other kinks (a sort, a maximum over channels) are not.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from inspection.sample_loss import ShiftedLoss

AT_ZERO = ("relu", "relu_", "leaky_relu", "leaky_relu_", "prelu", "abs", "abs_", "absolute")
CLAMPS = ("clamp", "clamp_", "clip", "hardtanh", "hardtanh_", "clamp_min", "clamp_min_", "clamp_max", "clamp_max_")
POOLS = {
    f"{kind}max_pool{n}d{end}": n for kind in ("", "adaptive_") for n in (1, 2, 3) for end in ("", "_with_indices")
}

# Within this many roundings of the largest value, a unit is not said to have changed sides: where neighbouring pixels
# are equal, as a black border's, their convolutions are so up to rounding, and whichever wins is the same.
ROUNDINGS = 64

Site = tuple[str, Tensor, Tensor | None]


def changed_sides(loss: ShiftedLoss, shifts: Tensor) -> tuple[Tensor, list[str]]:
    """Number of units, by layer, whose side at +shift is another than at -shift.

    Args:
        loss: of the shifted weights.
        shifts: (rows, weights).

    Returns:
        Counts, int64 (rows, sites), and each site's name: its layer, and the operation behind a dash.
    """
    names: list[str] = []

    def count(shift: Tensor) -> Tensor:
        plus, minus = _sites(loss, shift), _sites(loss, -shift)
        if [name for name, *_ in plus] != [name for name, *_ in minus]:
            raise ValueError(
                "model takes another way through its layers at +eps than at -eps: check smaller parts of it"
            )
        names[:] = [name for name, *_ in plus]
        found = [_changed(one, other) for one, other in zip(plus, minus, strict=True)]
        return torch.stack(found) if found else shift.new_zeros(0, dtype=torch.int64)

    depending = [values for _, values, _ in _sites(loss, loss.zero().requires_grad_()) if values.requires_grad]
    counts, _ = loss.rows(count, shifts, kept=4 * sum(values.nbytes for values in depending))  # two sides, and winners
    return counts, names


class _Recorder(TorchFunctionMode):
    """Notes what every operation with a kink is given."""

    def __init__(self) -> None:
        super().__init__()
        self.sites: list[Site] = []
        self.layers: list[str] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name in AT_ZERO or name in CLAMPS or name in POOLS:
            where = f"{self.layers[-1] if self.layers else 'model'} - {name.rstrip('_').removesuffix('_with_indices')}"
            self.sites += [(where, values, winners) for values, winners in _read(name, *args, **kwargs)]
        return func(*args, **kwargs)


def _read(name: str, values: Tensor, *args: Any, **kwargs: Any) -> list[tuple[Tensor, Tensor | None]]:
    """What decides the sides: values that are kinked at zero, or a pool's windows and their winners."""
    kwargs.pop("return_indices", None)
    if name in POOLS:
        pool = getattr(F, name.removesuffix("_with_indices") + "_with_indices")
        dimensions = POOLS[name]
        _, winners = pool(values, *args, **kwargs)
        return [(values.flatten(-dimensions), winners.flatten(-dimensions))]
    if name in CLAMPS:
        bounds = [*args[:2], *(value for key, value in kwargs.items() if key != "inplace")]
        bounds = bounds or [-1, 1]  # hardtanh's own
        return [(values - bound, None) for bound in bounds if bound is not None]
    return [(values.clone(), None)]  # a copy, as the operation may work in place


def _sites(loss: ShiftedLoss, shift: Tensor) -> list[Site]:
    recorder = _Recorder()
    handles = []
    for path, module in loss.sample.named_modules():
        name = path.removeprefix("model.") if path.startswith("model.") else ""
        if name:
            handles.append(module.register_forward_pre_hook(lambda *_, name=name: recorder.layers.append(name)))
            handles.append(module.register_forward_hook(lambda *_: _leave(recorder)))
    try:
        with recorder:
            loss(shift)
    finally:
        for handle in handles:
            handle.remove()
    return recorder.sites


def _leave(recorder: _Recorder) -> None:
    recorder.layers.pop()  # and return None: a forward hook's value would replace the layer's output


def _changed(one: Site, other: Site) -> Tensor:
    """Number of units on different sides, shape ()."""
    (_, plus, first), (_, minus, second) = one, other
    limit = ROUNDINGS * torch.finfo(plus.dtype).eps * torch.maximum(plus.abs().amax(), minus.abs().amax())
    if first is None or second is None:
        return ((plus > limit) != (minus > limit)).sum()
    ahead = plus.gather(-1, first) - plus.gather(-1, second)
    behind = minus.gather(-1, second) - minus.gather(-1, first)
    return ((first != second) & (ahead > limit) & (behind > limit)).sum()
