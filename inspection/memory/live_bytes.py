"""Bytes of live tensors, counted as operations allocate and release them, on any device, the meta device included."""

import weakref
from collections.abc import Iterable
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveBytes(TorchDispatchMode):
    """Counts storages that are allocated in the block, each until it is released.

    Buffers within kernels and the allocator's rounding are not counted.

    Args:
        standing: tensors from before, which do not count.

    Attributes:
        now: number of bytes alive.
        peak: largest number so far.
    """

    def __init__(self, standing: Iterable[Tensor]) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._seen = {tensor.untyped_storage()._cdata for tensor in standing}
        self._watched: dict[int, weakref.ref[Any]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run the operation and count what it allocated."""
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self._enter(leaf)
        return result

    def _enter(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key in self._seen:
            return

        def leave(_: Any) -> None:
            self.now -= size
            self._seen.discard(key)
            self._watched.pop(key, None)

        self._seen.add(key)
        self._watched[key] = weakref.ref(storage, leave)
        self.now += size
        self.peak = max(self.peak, self.now)
