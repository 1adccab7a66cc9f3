"""Parts of a batch on several cores."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from threading import Barrier

import torch


def for_each_part(work: Callable[[slice], None], parts: Sequence[slice]) -> None:
    """Call `work` on every part, on as many threads as torch has here; returns when all are done.

    Whole parts to a thread, rather than torch's own threads within each operation: those wait for each other after
    every one of some forty short operations, which on a busy machine costs more than the second core gives.

    Args:
        work: must give the same result whatever the order of the calls; runs with one torch thread.
        parts: of the batch.

    Raises:
        Exception: the first that `work` raised.
    """
    threads = min(torch.get_num_threads(), len(parts))
    if threads == 1:
        for part in parts:
            work(part)
        return
    for _ in _pool(threads).map(work, parts):
        pass


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    ready = Barrier(threads + 1)

    def start() -> None:
        torch.set_num_threads(1)  # of the calling thread alone (OpenMP keeps it by thread) ...
        ready.wait()

    before = torch.get_num_threads()
    pool = ThreadPoolExecutor(threads, "transforms", start)
    for _ in range(threads):
        pool.submit(int)
    ready.wait()
    torch.set_num_threads(before)  # ... but threads that start later begin with the number that was set last
    return pool
