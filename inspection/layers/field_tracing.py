"""Receptive fields traced along the operations that a forward pass runs, functional ones and branches included.

Torch's modules call some hundred operations; a dozen of them change the receptive field, each by its rule. Elementwise
operations take the union of their inputs' fields. After any other operation each unit is assumed to see everything, and
the field is marked as an upper bound.
"""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from inspection.layers.field_rules import RULES
from inspection.layers.receptive_field import Axis, joined, union

Fields = tuple[Axis, Axis]
# Elementwise in evaluation mode, but not tagged so by torch.
_ELEMENTWISE = (
    *("_native_batch_norm_legit_no_training", "native_dropout", "expand", "copy_", "_to_copy"),
    *("hardswish", "hardswish_", "_prelu_kernel", "log_sigmoid_forward"),
)
_RESHAPES = ("view", "_unsafe_view", "squeeze", "squeeze_", "unsqueeze", "unsqueeze_", "alias", "detach")


class FieldTracer(TorchDispatchMode):
    """Traces receptive fields from images to every tensor that is computed from them.

    Args:
        *images: input images, (batch, ..., height, width). A field is along one image's sides: images of another size
            than the first are left out.
    """

    def __init__(self, *images: Tensor) -> None:
        super().__init__()
        # Tensors are kept alive, so that the id of a freed one is not used again.
        self._known: dict[int, tuple[Tensor, Fields]] = {}
        for one in images:
            height, width = one.shape[-2:]
            if one.shape[-2:] == images[0].shape[-2:]:
                sides = Axis.of_image(one.ndim - 2, height), Axis.of_image(one.ndim - 1, width)
                self._known[id(one)] = (one, sides)
        self._written: dict[int, Fields] = {}  # by storage, for storages of which a part was written

    def fields(self, tensor: Tensor) -> Fields | None:
        """The field of a tensor's units along height and width; None where the tensor is not known."""
        if id(tensor) in self._known:
            return self._known[id(tensor)][1]
        return self._written.get(tensor.untyped_storage()._cdata)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run the operation and record the fields of its results."""
        result = func(*args, **(kwargs or {}))
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        sources = [tensor for tensor in tensors if self.fields(tensor) is not None]
        if sources:
            for out in tree_leaves(result):
                if isinstance(out, Tensor):
                    seen = tuple(self._axis(side, func, sources, args, kwargs or {}, out) for side in (0, 1))
                    self._known[id(out)] = (out, seen)  # type: ignore[assignment]
                    if func._schema.is_mutable and out.nbytes < out.untyped_storage().nbytes():
                        self._spread(out)
        return result

    def _spread(self, part: Tensor) -> None:
        """After a part of a storage was written: give its tensors the union of their fields, as a bound."""
        storage = part.untyped_storage()._cdata
        sharing = [key for key, (tensor, _) in self._known.items() if tensor.untyped_storage()._cdata == storage]
        bounds: list[Axis] = []
        for side in (0, 1):
            seen = [joined(self._known[key][1][side], exact=False) for key in sharing]
            seen += [self._written[storage][side]] if storage in self._written else []
            bounds.append(_union_of(seen))
        self._written[storage] = (bounds[0], bounds[1])
        self._known |= {key: (self._known[key][0], self._written[storage]) for key in sharing}

    def _axis(self, side: int, func: Any, sources: list[Tensor], args: Any, kwargs: Any, out: Tensor) -> Axis:
        name = func._schema.name.removeprefix("aten::")
        axes = [fields[side] for source in sources if (fields := self.fields(source)) is not None]
        if name in _ELEMENTWISE or torch.Tag.pointwise in func.tags:
            aligned = [_aligned(axis, source, out) for axis, source in zip(axes, sources, strict=True)]
            return _union_of(aligned)
        if name == "cat":
            dim = (args[1] if len(args) > 1 else kwargs.get("dim", 0)) % out.ndim
            return _union_of([joined(axis, exact=False) if axis.dim == dim else axis for axis in axes])
        axis, source = axes[0], sources[0]
        rule = RULES.get("view" if name in _RESHAPES else name)
        if len(sources) > 1 or rule is None or axis.dim is None:
            return _union_of([joined(one, exact=one.whole) for one in axes])
        return rule(axis, source, args, kwargs, out)


def _union_of(axes: list[Axis]) -> Axis:
    first, *others = axes
    for other in others:
        first = union(first, other)
    return first


def _aligned(axis: Axis, source: Tensor, out: Tensor) -> Axis:
    """The axis with its dimension counted in the broadcast result."""
    if axis.dim is None:
        return axis
    dim = axis.dim + out.ndim - source.ndim
    return replace(axis, dim=dim) if out.shape[dim] == source.shape[axis.dim] else joined(axis)
