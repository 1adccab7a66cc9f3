"""Multiply-adds of matrix products and convolutions: torch's FlopCounterMode, and rules for what it leaves out.

Elementwise products, norms, pooling and interpolation do not count. An operation that multiplies matrices, or may, and
has no rule is told, so that a count without it is known to be a lower bound.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from math import prod
from typing import Any, Self

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode, flop_registry

Shape = Sequence[int]

# Parts of the names of operations that multiply matrices: `addmm`, `conv_tbc`, `_fft_r2c`, `linalg_lu_factor_ex`.
_PARTS = re.compile(
    r"\w*(mm|mv|dot|matmul)|conv(olution)?(\dd)?|(bi|tri)?linear|attention|transformer|rnn|lstm|gru|fft|linalg|lu|qr"
    r"|cholesky|solve|svd|eig|geqrf|orgqr|ormqr|lobpcg|cdist|pdist|kron|addr"
)
_NO_PRODUCT = re.compile(r"upsample_|_?linalg_(check_errors|cross|diagonal|vector_norm)|_fused_sdp_choice")


def _addmm(bias: Shape, first: Shape, second: Shape, *_: Any, **__: Any) -> int:
    """(b, n, k) times (b, k, m), or both without b."""
    return prod(first) * second[-1]


def _addmv(bias: Shape, matrix: Shape, *_: Any, **__: Any) -> int:
    return prod(matrix)


def _addr(bias: Shape, first: Shape, second: Shape, *_: Any, **__: Any) -> int:
    return prod(first) * prod(second)


def _first(first: Shape, *_: Any, **__: Any) -> int:
    """A multiplication for each value of the first argument: (n, k) or (k,) times (k,)."""
    return prod(first)


def _int_mm(first: Shape, second: Shape, *_: Any, **__: Any) -> int:
    return prod(first) * second[-1]


def _conv_tbc(images: Shape, weight: Shape, *_: Any, out_shape: Shape, **__: Any) -> int:
    """Weight (kernel, channels, filters)."""
    return prod(out_shape) * weight[0] * weight[1]


def _trilinear(
    first: Shape,
    second: Shape,
    third: Shape,
    expand_first: Shape,
    expand_second: Shape,
    expand_third: Shape,
    summed: Shape,
    *_: Any,
    **__: Any,
) -> int:
    """The product of the first two, summed where the third has no extent, and of that with the third.

    The dimensions to expand are those that a tensor lacks in the product of all three.
    """

    def full(shape: Shape, missing: Shape) -> list[int]:
        sizes = list(shape)
        for dim in sorted(missing):
            sizes.insert(dim, 1)
        return sizes

    sides = [full(first, expand_first), full(second, expand_second), full(third, expand_third)]
    both = [max(sizes) for sizes in zip(*sides[:2], strict=True)]
    kept = [1 if dim in summed and dim in expand_third else size for dim, size in enumerate(both)]
    return prod(both) + prod(max(sizes) for sizes in zip(kept, sides[2], strict=True))


# Multiplications by the shapes of the arguments, by torch's names for the operations.
_NAMED: dict[str, Callable[..., int]] = {
    **dict.fromkeys(("addmm_", "baddbmm_", "addbmm", "addbmm_", "_addmm_activation"), _addmm),
    **dict.fromkeys(("mv", "dot", "vdot"), _first),
    **dict.fromkeys(("addmv", "addmv_"), _addmv),
    **dict.fromkeys(("addr", "addr_"), _addr),
    "_int_mm": _int_mm,
    "conv_tbc": _conv_tbc,
    "_trilinear": _trilinear,
}
_RULES = {getattr(torch.ops.aten, name): rule for name, rule in _NAMED.items()}


def _doubled(rule: Callable[..., int]) -> Callable[..., int]:
    """The rule as torch's registry has its own, where additions count too."""
    return lambda *shapes, **more: 2 * rule(*shapes, **more)


class MultiplyAdds:
    """Counts the multiply-adds of the operations in its block.

    Attributes:
        unknown: names of the operations without a rule that ran, each once for every run.
    """

    def __init__(self) -> None:
        self.unknown: list[str] = []
        self._aside = 0
        self._flops = FlopCounterMode(
            display=False, custom_mapping={operation: _doubled(rule) for operation, rule in _RULES.items()}
        )

    @property
    def count(self) -> int:
        """Number of multiply-adds so far."""
        return self._flops.get_total_flops() // 2 - self._aside

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Count nothing in this block."""
        count, known = self.count, len(self.unknown)
        yield
        self._aside += self.count - count
        del self.unknown[known:]

    def __enter__(self) -> Self:
        """Begin to count."""
        with ExitStack() as stack:
            stack.enter_context(_Unknown(self.unknown))  # below the other, which takes composed operations apart
            stack.enter_context(self._flops)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        """Count no more."""
        self._stack.__exit__(*error)


class _Unknown(TorchDispatchMode):
    """Notes the operations that may multiply matrices and have no rule."""

    def __init__(self, names: list[str]) -> None:
        super().__init__()
        self._names = names

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run the operation, and note it."""
        if not counted(func) and may_multiply(func):
            self._names.append(func._schema.name.removeprefix("aten::"))
        return func(*args, **(kwargs or {}))


def counted(operation: Any) -> bool:
    """Whether there is a rule for the operation."""
    packet = getattr(operation, "overloadpacket", operation)
    return packet in flop_registry or packet in _RULES


def may_multiply(operation: Any) -> bool:
    """Whether an operation multiplies matrices by its name, or comes from another library."""
    space, _, name = operation._schema.name.partition("::")
    if space not in ("aten", "prim", "profiler"):
        return True
    return not _NO_PRODUCT.match(name) and any(_PARTS.fullmatch(part) for part in name.strip("_").split("_"))
