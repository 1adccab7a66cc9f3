"""What a training process settles once, before torch is imported: memory, waiting threads, and that there is no GPU."""

import ctypes
import os
import sys
from pathlib import Path

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3


def settle() -> None:
    """All of it."""
    keep_freed_memory()
    wait_briefly()
    spare_device_queries()


def wait_briefly() -> None:
    """Let OpenMP's threads spin for a fraction of a millisecond at a barrier, and then sleep.

    GNU's OpenMP, which torch's wheels carry, spins for many milliseconds by default. Beside a busy neighbour the
    spinning thread keeps a core from the very thread that it waits for: on two cores a small network's step then takes
    two to five times as long. Spinning briefly costs it some per cent on an idle machine.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", "20000")


def spare_device_queries() -> bool:
    """Where a Linux machine has no NVIDIA device, say so to torch once. Returns whether it did.

    torch's optimizers ask at every step whether an accelerator is there, and a CUDA build without a GPU answers by
    looking for NVIDIA's library on disk, each time anew: 0.2-0.5 ms a step.
    """
    without = (
        sys.platform.startswith("linux") and not any(Path("/dev").glob("nvidia*")) and not Path("/dev/dxg").exists()
    )
    if without:
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
    return without


def keep_freed_memory() -> bool:
    """Set glibc's thresholds so that freed blocks stay with the process. Returns whether the C library took them.

    By default each large tensor that a step frees goes back to the kernel and is faulted in anew, page by page, by the
    next step: a small convolutional network then trains 1.4-1.7 times slower. Elsewhere than on glibc it does nothing.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    settings = ((_M_MMAP_THRESHOLD, 1 << 30), (_M_TRIM_THRESHOLD, 1 << 30), (_M_TOP_PAD, 64 << 20))
    return all(bool(mallopt(option, value)) for option, value in settings)
