"""Recognise out-of-memory errors; on Linux, raise MemoryError before the kernel kills the process."""

import math
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

RESERVE = 0.02  # share of the host's memory left to the kernels' own buffers and to other processes
PROC, CGROUPS = Path("/proc"), Path("/sys/fs/cgroup")


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that a device or the host has no memory left."""
    words = ("out of memory", "can't allocate memory", "not enough memory", "DefaultCPUAllocator")
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or (
        isinstance(error, RuntimeError) and any(word in str(error) for word in words)
    )


class HostGuard(TorchDispatchMode):
    """Context that raises MemoryError after an operation once the host could not hold another result of that size.

    Linux grants memory that it does not have, and kills a process when it is written to. So the memory left must stay
    above the largest result so far, times the number of processes, plus a reserve. Sizes of results are summed up, as
    if none was freed; when the sum exceeds what the kernel last reported as available, the kernel is asked again.
    Values are the same with the guard and without it. It does nothing on other systems than Linux.

    Args:
        processes: number of processes on this host that train at the same time.

    Raises:
        MemoryError: in the block, when an operation leaves too little memory.
    """

    def __init__(self, processes: int = 1) -> None:
        super().__init__()
        self._processes = processes
        self._largest = 0
        self._left = 0.0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run the operation, then check the memory left."""
        results = func(*args, **(kwargs or {}))
        sizes = [leaf.untyped_storage().nbytes() for leaf in tree_leaves(results) if isinstance(leaf, Tensor)]
        self._largest = max([self._largest, *sizes])
        self._left -= self._processes * sum(sizes)
        if self._left < self._processes * self._largest:
            self._left = available()
            if self._left < self._processes * self._largest:
                raise MemoryError(f"the host has {self._left / 1e9:.3g} GB of memory left")
        return results


def available(proc: Path = PROC, cgroups: Path = CGROUPS) -> float:
    """Bytes that may still be allocated, less the reserve; infinity where the system does not tell.

    The smallest of what the host and each control group (a job's, a container's) have left.

    Args:
        proc: folder where the kernel's process information is mounted.
        cgroups: folder where control groups are mounted, version 1 or 2.
    """
    if not sys.platform.startswith("linux"):
        return math.inf
    try:
        host = _fields(proc / "meminfo")
        groups = (proc / "self/cgroup").read_text().splitlines()
        left = host["MemAvailable"] - int(RESERVE * host["MemTotal"])
    except (OSError, KeyError):
        return math.inf
    return min([left, *(granted for line in groups for granted in _granted(line, cgroups))])


def _granted(line: str, cgroups: Path) -> Iterator[int]:
    """Bytes left in the group that a line of /proc/self/cgroup names, and in each group above it."""
    _, controllers, path = line.split(":", 2)
    if controllers not in ("", "memory"):
        return
    root = cgroups / controllers
    names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
    limit, usage, cache = names if controllers else ("memory.max", "memory.current", "inactive_file")
    folder = root / path.lstrip("/")
    for group in (folder, *folder.parents):
        if not group.is_relative_to(root):
            return
        try:
            most, used = ((group / name).read_text().strip() for name in (limit, usage))
            if most != "max":
                given_up = _fields(group / "memory.stat").get(cache, 0)  # pages of files, which the kernel can reclaim
                yield int((1 - RESERVE) * int(most)) - int(used) + given_up
        except (OSError, ValueError):
            continue  # inside a container the groups above it are not visible


def _fields(path: Path) -> dict[str, int]:
    """Names and sizes in a table of the kernel, in bytes."""
    rows = re.findall(r"^(\w+):?[ \t]+(\d+)( kB)?$", path.read_text(), re.MULTILINE)
    return {name: int(number) * (1024 if unit else 1) for name, number, unit in rows}
