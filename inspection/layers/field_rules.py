"""How single operations change a receptive field, by torch's names for them.

A rule takes the axis of the operation's first tensor, that tensor, the arguments and the result.
"""

from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import Any

from torch import Tensor

from inspection.layers.receptive_field import Axis, joined, narrowed, window


def _convolution(axis: Axis, source: Tensor, args: Any, kwargs: Any, out: Tensor) -> Axis:
    _, weight, _, stride, padding, dilation, transposed, _, groups = args[:9]
    place = (axis.dim or 0) - 2
    if axis.dim == 0:
        return axis  # a convolution does not mix the images of a batch
    if place < 0 or transposed or not _alone(axis, source):
        return joined(axis, exact=place < 0 and groups == 1)
    kernel = weight.shape[place + 2]
    return window(axis, out.shape[place + 2], kernel, _at(stride, place), _at(padding, place), _at(dilation, place))


def _pooling(axis: Axis, source: Tensor, args: Any, kwargs: Any, out: Tensor) -> Axis:
    given = dict(zip(("kernel_size", "stride", "padding", "dilation"), args[1:], strict=False)) | kwargs
    if len(args) > 4 and isinstance(args[4], bool):  # average pooling has ceil_mode where max-pooling has dilation
        given["dilation"] = 1
    place = (axis.dim or 0) - source.ndim + 2
    if place < 0:
        return axis
    if not _alone(axis, source):
        return joined(axis, exact=False)
    kernel = _at(given["kernel_size"], place)
    stride = _at(given.get("stride") or given["kernel_size"], place)
    padding, dilation = _at(given.get("padding", 0), place), _at(given.get("dilation", 1), place)
    return window(axis, out.shape[axis.dim or 0], kernel, stride, padding, dilation)


def _adaptive(axis: Axis, source: Tensor, args: Any, kwargs: Any, out: Tensor) -> Axis:
    before, after = axis.size, out.shape[axis.dim or 0]
    if (axis.dim or 0) < source.ndim - 2:
        return axis
    if before % after or not _alone(axis, source):
        return joined(axis, exact=False)
    return window(axis, after, before // after, before // after)


def _reduction(axis: Axis, source: Tensor, args: Any, kwargs: Any, out: Tensor) -> Axis:
    given = args[1] if len(args) > 1 and args[1] is not None else kwargs.get("dim")
    dims = (
        range(source.ndim)
        if given is None or given in ((), [])
        else [dim % source.ndim for dim in ([given] if isinstance(given, int) else given)]
    )
    if axis.dim in dims:
        return joined(axis)
    gone = 0 if out.ndim == source.ndim else sum(dim < (axis.dim or 0) for dim in dims)
    return replace(axis, dim=(axis.dim or 0) - gone)


def _matrix_product(axis: Axis, source: Tensor, args: Any, kwargs: Any, out: Tensor) -> Axis:
    """Product of the last two arguments, (..., rows, inner) and (..., inner, columns); a bias may precede them."""
    inner = {id(args[-2]): source.ndim - 1, id(args[-1]): source.ndim - 2}.get(id(source))
    return joined(axis) if axis.dim == inner else axis


def _batch_norm(axis: Axis, source: Tensor, args: Any, kwargs: Any, out: Tensor) -> Axis:
    training = args[5]  # with the batch's own statistics, as in instance norm
    return joined(axis) if training else axis


def _layer_norm(axis: Axis, source: Tensor, args: Any, kwargs: Any, out: Tensor) -> Axis:
    return joined(axis) if (axis.dim or 0) >= source.ndim - len(args[1]) else axis


def _softmax(axis: Axis, source: Tensor, args: Any, kwargs: Any, out: Tensor) -> Axis:
    return joined(axis) if axis.dim == args[1] % source.ndim else axis


def _split(axis: Axis, source: Tensor, args: Any, kwargs: Any, out: Tensor) -> Axis:
    dim = (args[2] if len(args) > 2 else kwargs.get("dim", 0)) % source.ndim
    return joined(axis, exact=False) if axis.dim == dim else axis


def _slice(axis: Axis, source: Tensor, args: Any, kwargs: Any, out: Tensor) -> Axis:
    dim = (args[1] if len(args) > 1 else 0) % source.ndim
    if axis.dim != dim:
        return axis
    if axis.outer > 1 or axis.size != source.shape[dim]:
        return joined(axis, exact=False)
    start, step = args[2] if len(args) > 2 else 0, args[4] if len(args) > 4 else 1
    return narrowed(axis, out.shape[dim], slice(start, None).indices(axis.size)[0], step)


def _selected(axis: Axis, source: Tensor, args: Any, kwargs: Any, out: Tensor) -> Axis:
    dim, place = args[1] % source.ndim, axis.dim or 0
    return joined(axis, exact=False) if place == dim else replace(axis, dim=place - (dim < place))


def _padding(axis: Axis, source: Tensor, args: Any, kwargs: Any, out: Tensor) -> Axis:
    dim = axis.dim or 0
    place = 2 * (source.ndim - 1 - dim)
    before = args[1][place] if place < len(args[1]) else 0
    return axis if out.shape[dim] == source.shape[dim] and not before else narrowed(axis, out.shape[dim], -before)


def _permuted(axis: Axis, source: Tensor, args: Any, kwargs: Any, out: Tensor) -> Axis:
    return replace(axis, dim=[dim % source.ndim for dim in args[1]].index(axis.dim or 0))


def _transposed(axis: Axis, source: Tensor, args: Any, kwargs: Any, out: Tensor) -> Axis:
    swapped = [dim % source.ndim for dim in (args[1:3] if len(args) > 2 else (0, 1))]
    return replace(axis, dim=swapped[1 - swapped.index(axis.dim)]) if axis.dim in swapped else axis


def _reshaped(axis: Axis, source: Tensor, args: Any, kwargs: Any, out: Tensor) -> Axis:
    """Row-major order is kept: the side is the dimension with as many entries before it as in the source."""
    before = prod(source.shape[: axis.dim]) * axis.outer
    for dim, size in enumerate(out.shape):
        ahead = prod(out.shape[:dim])
        if before % ahead == 0 and (ahead * size) % (before * axis.size) == 0:
            return replace(axis, dim=dim, outer=before // ahead)
    return joined(axis, exact=False)


def _alone(axis: Axis, source: Tensor) -> bool:
    """Whether the axis's dimension holds this side of the image and nothing else."""
    return axis.outer == 1 and axis.size == source.shape[axis.dim or 0]


def _at(value: Any, place: int) -> int:
    """The number for one side, from a single number or a list with one or two."""
    return value if isinstance(value, int) else value[place % len(value)]


RULES: dict[str, Callable[[Axis, Tensor, Any, Any, Tensor], Axis]] = {
    "convolution": _convolution,
    "_convolution": _convolution,
    **dict.fromkeys(("max_pool2d_with_indices", "max_pool2d", "avg_pool2d"), _pooling),
    **dict.fromkeys(("_adaptive_avg_pool2d", "adaptive_max_pool2d"), _adaptive),
    **dict.fromkeys(("mean", "sum", "amax", "amin"), _reduction),
    **dict.fromkeys(("mm", "addmm", "bmm"), _matrix_product),
    "native_batch_norm": _batch_norm,
    "native_layer_norm": _layer_norm,
    **dict.fromkeys(("_softmax", "_log_softmax"), _softmax),
    **dict.fromkeys(("split", "split_with_sizes"), _split),
    "slice": _slice,
    "select": _selected,
    **dict.fromkeys(("constant_pad_nd", "reflection_pad2d", "replication_pad2d"), _padding),
    "permute": _permuted,
    **dict.fromkeys(("transpose", "t"), _transposed),
    "view": _reshaped,
}
