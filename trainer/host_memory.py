"""Memory that is not there: the error that says so, and a guard that raises it before the kernel ends the process."""

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

RESERVE = 0.02  # of the host's memory, for what kernels take for themselves and for what else runs
PROC, CGROUPS = Path("/proc"), Path("/sys/fs/cgroup")


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that a device or the host has no memory left."""
    words = ("out of memory", "can't allocate memory", "not enough memory", "DefaultCPUAllocator")
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or (
        isinstance(error, RuntimeError) and any(word in str(error) for word in words)
    )


class HostGuard(TorchDispatchMode):
    """Within, an operation after which the host could not hold another such result ends with an error.

    Linux grants memory that it does not have and, once that is written to, ends a process. So what is left must be as
    much as the largest result so far, for each process, and a reserve. Results are counted, as if none was ever let go,
    and the kernel is asked when they have used up what it said last. Values are the same with the guard and without.
    Elsewhere than on Linux nothing is guarded.

    Args:
        processes: on this host, whose results grow at the same time.

    Raises:
        MemoryError: within.
    """

    def __init__(self, processes: int = 1) -> None:
        super().__init__()
        self._processes = processes
        self._largest = 0
        self._left = 0.0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run the operation, and see what is left."""
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
    """Bytes that may still be asked for, a reserve apart; infinity where nobody says.

    The least of what the host has left and of what each control group (a job's, a container's) leaves.

    Args:
        proc: of the kernel, as mounted.
        cgroups: likewise; version 1 or 2.
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
    """What the groups leave that a line of /proc/self/cgroup names: the group and all above it."""
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
                given_up = _fields(group / "memory.stat").get(cache, 0)  # pages of files, which the kernel takes back
                yield int((1 - RESERVE) * int(most)) - int(used) + given_up
        except (OSError, ValueError):
            continue  # seen from inside a container, groups above it are not there


def _fields(path: Path) -> dict[str, int]:
    """Names and numbers of a kernel's table, in bytes."""
    rows = re.findall(r"^(\w+):?[ \t]+(\d+)( kB)?$", path.read_text(), re.MULTILINE)
    return {name: int(number) * (1024 if unit else 1) for name, number, unit in rows}
