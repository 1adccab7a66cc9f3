"""glibc's memory allocator, told to keep what a training step frees, as the next step asks for it again."""

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3


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
