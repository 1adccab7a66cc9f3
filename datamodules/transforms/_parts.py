"""`for_each_part`: the parts of a batch on several threads."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from threading import Barrier

import torch


def for_each_part(work: Callable[[slice], None], parts: Sequence[slice]) -> None:
    """Call `work` on every part, on as many threads as torch is set to; returns when all are done.

    Each thread takes whole parts. Torch's own threads would share each operation instead, and wait for each other
    after each of some forty short ones, which on a busy machine costs more than the second core gives.

    Args:
        work: function of a part, whose result must not depend on the order of the calls; runs with one torch thread.
        parts: slices of the batch.

    Raises:
        Exception: the first that `work` raised.
    """
    threads = min(torch.get_num_threads(), len(parts))
    if threads == 1:
        for part in parts:
            work(part)
        return
    inference = torch.is_inference_mode_enabled()  # the mode is a thread's own

    def work_in_thread(part: slice) -> None:
        with torch.inference_mode(inference):
            work(part)

    for _ in _pool(threads).map(work_in_thread, parts):
        pass


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    ready = Barrier(threads + 1)

    def start() -> None:
        torch.get_num_threads()  # initialises this thread, else its first operation would, with the number set last
        torch.set_num_threads(1)  # for this thread alone, since OpenMP keeps the number by thread ...
        ready.wait()

    before = torch.get_num_threads()
    pool = ThreadPoolExecutor(threads, "transforms", start)
    for _ in range(threads):
        pool.submit(int)
    ready.wait()
    torch.set_num_threads(before)  # ... but new threads start with the number set last
    return pool


if hasattr(os, "register_at_fork"):  # threads do not survive a fork: a child makes its own
    os.register_at_fork(after_in_child=_pool.cache_clear)
