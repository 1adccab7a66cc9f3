"""Kinks: units that are on different sides at +eps and at -eps, so that the loss is not differentiable between them.

A central difference over a kink is the mean of two slopes, autograd's gradient one of the two: they differ, and neither
is wrong. These operations are recognised, as functions, methods or layers:

- ReLU and its variants, hard sigmoid and swish, shrinking, thresholds, absolute values and clamps;
- max-pooling, maxima and minima of two tensors or over dimensions;
- the comparisons >, <, >= and <=, which may feed `torch.where` or a mask.

CELU has no kink, nor has ELU with alpha = 1: their two slopes at zero are equal. Sort, top k and median are not
recognised; for those the check's verdict looks at the slopes themselves.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from inspection.gradients.sample_loss import ShiftedLoss

# Where a slope changes, by the operation's name without leading or trailing underscores.
PLACES: dict[str, tuple[float, ...]] = {
    "relu": (0,),
    "leaky_relu": (0,),
    "prelu": (0,),
    "rrelu": (0,),
    "selu": (0,),
    "abs": (0,),
    "absolute": (0,),
    "relu6": (0, 6),
    "hardsigmoid": (-3, 3),
    "hardswish": (-3, 3),
}
CLAMPS = ("clamp", "clip", "hardtanh", "clamp_min", "clamp_max")
SHRINKING = ("hardshrink", "softshrink")
COMPARISONS = ("gt", "lt", "ge", "le", "greater", "less", "greater_equal", "less_equal")
PAIRS = (*COMPARISONS, "maximum", "minimum", "fmax", "fmin", "l1_loss")
EXTREMES = ("amax", "amin", "max", "min")
POOLS = {
    f"{kind}max_pool{n}d{end}": n for kind in ("", "adaptive_") for n in (1, 2, 3) for end in ("", "_with_indices")
}
KINKED = {*PLACES, *CLAMPS, *SHRINKING, *PAIRS, *EXTREMES, *POOLS, "elu", "threshold"}

# Changes within this many roundings of the largest value do not count: where neighbouring pixels are equal, as in a
# black border, their convolutions differ by rounding only, and it does not matter which of them is the maximum.
ROUNDINGS = 64

Site = tuple[str, Tensor, Tensor | None]


def changed_sides(loss: ShiftedLoss, shifts: Tensor) -> tuple[Tensor, list[str]]:
    """Number of units, by layer, that are on different sides at +shift and at -shift.

    Args:
        loss: loss as a function of the shifted weights.
        shifts: one shift in each row, (rows, weights).

    Returns:
        Counts, int64 (rows, sites), and the name of each site: its layer, a dash, and the operation.
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
    """Records the inputs of every operation that has a kink."""

    def __init__(self) -> None:
        super().__init__()
        self.sites: list[Site] = []
        self.layers: list[str] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "").strip("_")
        if name in KINKED:
            where = f"{self.layers[-1] if self.layers else 'model'} - {name.removesuffix('_with_indices')}"
            self.sites += [(where, values, winners) for values, winners in _read(name, list(args), dict(kwargs))]
        return func(*args, **kwargs)


def _read(name: str, args: list[Any], kwargs: dict[str, Any]) -> list[tuple[Tensor, Tensor | None]]:
    """What decides the sides: values with the kink at zero, or the candidates of a maximum with its winners."""
    values = args.pop(0) if args else kwargs.pop("input", None)
    if not isinstance(values, Tensor) or not values.is_floating_point():
        return []
    if name in POOLS:
        kwargs.pop("return_indices", None)
        pool = getattr(F, name.removesuffix("_with_indices") + "_with_indices")
        dimensions = POOLS[name]
        _, winners = pool(values, *args, **kwargs)
        return [(values.flatten(-dimensions), winners.flatten(-dimensions))]

    def argument(*names: str, default: Any = None) -> Any:
        return args[0] if args else next((kwargs[known] for known in names if known in kwargs), default)

    if name in PAIRS or (name in EXTREMES and isinstance(argument("other"), Tensor)):
        places = [argument("other", "target")]
    elif name in EXTREMES:
        return _candidates(values if name.endswith("max") else -values, argument("dim", "axis"))
    elif name in CLAMPS:
        places = [*args[:2], *(value for key, value in kwargs.items() if key != "inplace")]
        places = places or [-1, 1]  # hardtanh's own
    elif name in SHRINKING:
        bound = argument("lambd", default=0.5)
        places = [-bound, bound]
    elif name == "elu":
        places = [0] if argument("alpha", default=1) != 1 else []
    elif name == "threshold":
        places = [argument("threshold")]
    else:
        places = [*PLACES[name]]
    # subtract, which copies: the operation may work in place
    numbers = [place + 0 for place in places if isinstance(place, int | float | Tensor)]  # + 0: booleans too
    return [(values - number, None) for number in numbers]


def _candidates(values: Tensor, along: int | tuple[int, ...] | None) -> list[tuple[Tensor, Tensor | None]]:
    """The values among which a maximum chooses, moved to the last dimension, and the place of the largest."""
    dims = (along,) if isinstance(along, int) else tuple(along or range(values.ndim))
    if not dims or values.ndim == 0:
        return []
    moved = values.movedim(dims, tuple(range(-len(dims), 0))).flatten(-len(dims))
    return [(moved.clone(), moved.argmax(-1, keepdim=True))]


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
