"""The recurrence along the operations that a forward pass really runs, functional ones and branches among them.

Below torch's modules there are some hundred operations; a dozen of them move the receptive field. Those are spelt out
here, elementwise ones take the union of what they are given, and after any other each unit is taken to see everything,
marked as a bound.
"""

from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from inspection.receptive_field import Axis, joined, narrowed, union, window

Fields = tuple[Axis, Axis]
# Elementwise at evaluation, and not tagged so by torch.
_ELEMENTWISE = (
    *("native_batch_norm", "_native_batch_norm_legit_no_training", "native_dropout", "expand", "copy_", "_to_copy"),
    *("hardswish", "hardswish_", "_prelu_kernel", "log_sigmoid_forward"),
)
_RESHAPES = ("view", "_unsafe_view", "squeeze", "squeeze_", "unsqueeze", "unsqueeze_", "alias", "detach")


class FieldTracer(TorchDispatchMode):
    """Follows the fields of images (batch, channels, height, width) through whatever is computed from them.

    Args:
        images: whose pixels are meant.
    """

    def __init__(self, images: Tensor) -> None:
        super().__init__()
        height, width = images.shape[-2:]
        rows, columns = Axis.of_image(images.ndim - 2, height), Axis.of_image(images.ndim - 1, width)
        # Tensors are kept, so that no other comes to bear the id of one that is gone.
        self._known: dict[int, tuple[Tensor, Fields]] = {id(images): (images, (rows, columns))}

    def fields(self, tensor: Tensor) -> Fields | None:
        """Along height and width; None where nothing is known of the tensor."""
        return self._known[id(tensor)][1] if id(tensor) in self._known else None

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run the operation and note what its results see."""
        result = func(*args, **(kwargs or {}))
        sources = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor) and id(leaf) in self._known]
        if sources:
            for out in tree_leaves(result):
                if isinstance(out, Tensor):
                    seen = tuple(self._axis(side, func, sources, args, kwargs or {}, out) for side in (0, 1))
                    self._known[id(out)] = (out, seen)  # type: ignore[assignment]
        return result

    def _axis(self, side: int, func: Any, sources: list[Tensor], args: Any, kwargs: Any, out: Tensor) -> Axis:
        name = func._schema.name.removeprefix("aten::")
        axes = [self._known[id(source)][1][side] for source in sources]
        if name in _ELEMENTWISE or torch.Tag.pointwise in func.tags:
            aligned = [_aligned(axis, source, out) for axis, source in zip(axes, sources, strict=True)]
            return _union_of(aligned)
        if name == "cat":
            dim = (args[1] if len(args) > 1 else kwargs.get("dim", 0)) % out.ndim
            return _union_of([joined(axis, exact=False) if axis.dim == dim else axis for axis in axes])
        axis, source = axes[0], sources[0]
        rule = _RULES.get("view" if name in _RESHAPES else name)
        if len(sources) > 1 or rule is None or axis.dim is None:
            return _union_of([joined(one, exact=one.whole) for one in axes])
        return rule(axis, source, args, kwargs, out)


def _union_of(axes: list[Axis]) -> Axis:
    first, *others = axes
    for other in others:
        first = union(first, other)
    return first


def _aligned(axis: Axis, source: Tensor, out: Tensor) -> Axis:
    """The axis in terms of a broadcast result's dimensions."""
    if axis.dim is None:
        return axis
    dim = axis.dim + out.ndim - source.ndim
    return replace(axis, dim=dim) if out.shape[dim] == source.shape[axis.dim] else joined(axis)


def _convolution(axis: Axis, source: Tensor, args: Any, kwargs: Any, out: Tensor) -> Axis:
    _, weight, _, stride, padding, dilation, transposed = args[:7]
    place = (axis.dim or 0) - 2
    if place < 0 or axis.outer > 1 or axis.size != source.shape[place + 2] or transposed:
        return joined(axis, exact=not transposed)
    kernel = weight.shape[place + 2]
    return window(axis, out.shape[place + 2], kernel, _at(stride, place), _at(padding, place), _at(dilation, place))


def _pooling(axis: Axis, source: Tensor, args: Any, kwargs: Any, out: Tensor) -> Axis:
    given = dict(zip(("kernel_size", "stride", "padding", "dilation"), args[1:], strict=False)) | kwargs
    if len(args) > 4 and isinstance(args[4], bool):  # an average takes ceil_mode where a maximum takes dilation
        given["dilation"] = 1
    place = (axis.dim or 0) - source.ndim + 2
    kernel = _at(given["kernel_size"], place)
    stride = _at(given.get("stride") or given["kernel_size"], place)
    padding, dilation = _at(given.get("padding", 0), place), _at(given.get("dilation", 1), place)
    return window(axis, out.shape[axis.dim or 0], kernel, stride, padding, dilation)


def _adaptive(axis: Axis, source: Tensor, args: Any, kwargs: Any, out: Tensor) -> Axis:
    before, after = axis.size, out.shape[axis.dim or 0]
    if before % after:
        return joined(axis, exact=False)
    return window(axis, after, before // after, before // after)


def _reduction(axis: Axis, source: Tensor, args: Any, kwargs: Any, out: Tensor) -> Axis:
    given = args[1] if len(args) > 1 and args[1] is not None else kwargs.get("dim")
    dims = (
        range(source.ndim)
        if given is None
        else [dim % source.ndim for dim in ([given] if isinstance(given, int) else given)]
    )
    if axis.dim in dims:
        return joined(axis)
    gone = 0 if out.ndim == source.ndim else sum(dim < (axis.dim or 0) for dim in dims)
    return replace(axis, dim=(axis.dim or 0) - gone)


def _matrix_product(axis: Axis, source: Tensor, args: Any, kwargs: Any, out: Tensor) -> Axis:
    return joined(axis) if axis.dim == source.ndim - 1 else axis


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
    """Row-major order stays: the side lies where as many entries come before it as before."""
    before = prod(source.shape[: axis.dim]) * axis.outer
    for dim, size in enumerate(out.shape):
        ahead = prod(out.shape[:dim])
        if before % ahead == 0 and (ahead * size) % (before * axis.size) == 0:
            return replace(axis, dim=dim, outer=before // ahead)
    return joined(axis, exact=False)


def _at(value: Any, place: int) -> int:
    """One number of a list of one or of two."""
    return value if isinstance(value, int) else value[place % len(value)]


_RULES: dict[str, Callable[[Axis, Tensor, Any, Any, Tensor], Axis]] = {
    "convolution": _convolution,
    "_convolution": _convolution,
    **dict.fromkeys(("max_pool2d_with_indices", "max_pool2d", "avg_pool2d"), _pooling),
    **dict.fromkeys(("_adaptive_avg_pool2d", "adaptive_max_pool2d"), _adaptive),
    **dict.fromkeys(("mean", "sum", "amax", "amin"), _reduction),
    **dict.fromkeys(("mm", "addmm", "bmm"), _matrix_product),
    "native_layer_norm": _layer_norm,
    **dict.fromkeys(("_softmax", "_log_softmax"), _softmax),
    **dict.fromkeys(("split", "split_with_sizes"), _split),
    "slice": _slice,
    **dict.fromkeys(("constant_pad_nd", "reflection_pad2d", "replication_pad2d"), _padding),
    "permute": _permuted,
    **dict.fromkeys(("transpose", "t"), _transposed),
    "view": _reshaped,
}
