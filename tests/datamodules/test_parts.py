"""Parts of a batch on several threads."""

import threading

import torch

from datamodules.transforms._parts import for_each_part


def test_a_thread_of_the_pool_has_one_torch_thread() -> None:
    """Two would make an OpenMP team in each, more threads than cores, and then no thread waits as it was told to."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    seen: dict[str, int] = {}

    def work(part: slice) -> None:
        torch.zeros(1 << 17).add_(1)  # long enough that torch would share it out
        seen[threading.current_thread().name] = torch.get_num_threads()

    try:
        for_each_part(work, [slice(0, 1), slice(1, 2), slice(2, 3), slice(3, 4)])
    finally:
        torch.set_num_threads(before)
    assert seen and set(seen.values()) == {1}
    assert threading.current_thread().name not in seen


def test_every_part_is_worked_on_and_an_error_comes_out() -> None:
    done: list[int] = []
    for_each_part(lambda part: done.append(part.start), [slice(n, n + 1) for n in range(7)])
    assert sorted(done) == list(range(7))
    try:
        for_each_part(lambda part: 1 / 0, [slice(0, 1), slice(1, 2)])  # type: ignore[arg-type,return-value]
    except ZeroDivisionError:
        return
    raise AssertionError("the error was lost")
