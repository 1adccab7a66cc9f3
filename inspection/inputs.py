"""The inputs of a module that is looked at: shapes and types, and tensors of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

DTYPES = {
    "float": None,
    "int64": torch.int64,
    "int32": torch.int32,
    "uint8": torch.uint8,
    "bool": torch.bool,
}


@dataclass(frozen=True)
class Input:
    """One input.

    Attributes:
        shape: its shape for one sample, without the batch: (channels, height, width) for an image, () for a number.
        dtype: its type; None for that of the module's own numbers, as an image has.
    """

    shape: tuple[int, ...]
    dtype: torch.dtype | None = None

    @property
    def is_picture(self) -> bool:
        """Whether its last two dimensions may be an image's height and width."""
        return self.dtype is None and len(self.shape) > 2

    @property
    def dtype_name(self) -> str:
        """Name of its type, as in `DTYPES`."""
        return next(name for name, dtype in DTYPES.items() if dtype == self.dtype)

    def empty(self, batch_size: int, dtype: torch.dtype) -> Tensor:
        """A batch on the meta device, which holds no values."""
        return torch.empty(batch_size, *self.shape, device="meta", dtype=self.dtype or dtype)

    def values(self, batch_size: int, dtype: torch.dtype, device: str) -> Tensor:
        """A batch of random numbers; of zeros where numbers are whole, since any table has a row 0."""
        if self.dtype is not None:
            return torch.zeros(batch_size, *self.shape, device=device, dtype=self.dtype)
        return torch.randn(batch_size, *self.shape, device=device, dtype=dtype)

    def __str__(self) -> str:
        """Its sizes, and its type where that is not the module's: `3 x 32 x 32`, `128 (int64)`, `scalar (int64)`."""
        sizes = " x ".join(map(str, self.shape)) or "scalar"
        return sizes if self.dtype is None else f"{sizes} ({self.dtype_name})"


Inputs = Sequence[int] | Sequence[Input]


def inputs_of(given: Inputs) -> tuple[Input, ...]:
    """The inputs; a bare shape is that of the only one."""
    inputs = tuple(one for one in given if isinstance(one, Input))
    return inputs or (Input(tuple(size for size in given if isinstance(size, int))),)


def told(inputs: Sequence[Input]) -> str:
    """The inputs in words: `images of 3 x 32 x 32`, `inputs of 3 x 8 x 8 and scalar (int64)`."""
    kind = "images" if len(inputs) == 1 and inputs[0].is_picture else "inputs"
    return f"{kind} of {' and '.join(map(str, inputs))}"
