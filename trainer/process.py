"""Settings of a training process: memory, waiting threads and absent GPUs before torch is imported, denormals after."""

import atexit
import ctypes
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3


def settle() -> None:
    """Apply the settings below that come before torch; call before it is imported."""
    keep_freed_memory()
    wait_briefly()
    spare_device_queries()


@contextmanager
def importing() -> Iterator[None]:
    """Let the collector of cycles rest while torch and Lightning are imported, and pass over what they made afterwards.

    Four thousand modules make objects that stay, and the collector goes through them again and again: a third of the
    time that the imports take. Does nothing in a process that has torch already.
    """
    if "torch" in sys.modules or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        atexit.register(gc.unfreeze)  # or nanobind, at the end, takes what is never collected for leaks, and says so
        gc.enable()


def flush_denormals() -> bool:
    """Let this process's arithmetic take numbers below 1e-38 for zero; returns whether the processor can.

    Call it right after torch is imported: its threads take this over when they start, and keep it. A CPU works on such
    numbers ten times as slowly, and they come where L2 shrinks weights to 1e-31: an MLP's step with RMSProp takes
    nearly four times as long after 3,000 steps (`benchmarks/denormals.py`). A run with such numbers is another run from
    there on: two, with and without, that were 1e-30 apart after a step have been seen .05 apart after eleven.
    """
    import torch

    return torch.set_flush_denormal(True)


def wait_briefly() -> None:
    """Let OpenMP's threads spin for a fraction of a millisecond at a barrier, and then sleep.

    GNU's OpenMP, which torch's wheels contain, spins for many milliseconds by default. With other load on the machine,
    the spinning thread takes a core from the thread that it waits for: on two cores a small network's step then takes
    two to five times as long. Spinning briefly costs some per cent of a step on an idle machine.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", "20000")


def spare_device_queries() -> bool:
    """Hide CUDA from torch on a Linux machine without an NVIDIA device. Returns whether there is none.

    torch's optimizers ask at every step whether there is an accelerator, and a CUDA build without a GPU then searches
    the disk for NVIDIA's library: 0.2-0.5 ms a step.
    """
    without = (
        sys.platform.startswith("linux") and not any(Path("/dev").glob("nvidia*")) and not Path("/dev/dxg").exists()
    )
    if without:
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
    return without


def keep_freed_memory() -> bool:
    """Set glibc's thresholds so that freed blocks stay with the process. Returns whether the C library accepted them.

    By default each large tensor that a step frees returns to the kernel, and the next step faults it in again, page by
    page: a small convolutional network then trains 1.4-1.7 times slower. Without glibc this does nothing.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    settings = ((_M_MMAP_THRESHOLD, 1 << 30), (_M_TRIM_THRESHOLD, 1 << 30), (_M_TOP_PAD, 64 << 20))
    return all(bool(mallopt(option, value)) for option, value in settings)
