"""Batches that batch normalisation cannot take are told before the first step, whatever their shares."""

from itertools import product

import pytest

from lightning_modules._checks import check_chunks
from timeline.position import Position
from timeline.stream import Stream


def shortest(stream: Stream, passes: int, copies: int, processes: int, limit: int | None) -> int:
    """Rows of the shortest chunk of all: each process's share of each step, cut as the module cuts it."""
    found = []
    for step in range(stream.first_step(passes)):
        indices = stream.indices(step)
        for rank in range(processes):
            rows = len(indices[rank::processes]) * copies
            size = limit or max(rows, 1)
            found += [min(size, rows - start) for start in range(0, rows, size)]
    return min(found)


@pytest.mark.parametrize(("copies", "processes", "limit"), list(product([1, 2], [1, 2, 3], [None, 1, 4, 5])))
def test_refuses_where_a_chunk_has_one_row_and_nowhere_else(copies: int, processes: int, limit: int | None) -> None:
    for samples, batch_size, drop_last in product([31, 32, 40], [2, 3, 7, 10, 31], [False, True]):
        stream = Stream(samples, batch_size, seed=1, drop_last=drop_last)
        if shortest(stream, 1, copies, processes, limit) == 1:
            with pytest.raises(ValueError, match=r"^(data.batch_size|model.micro_batch_size) leaves a chunk of one"):
                check_chunks(stream, copies, processes, limit, passes=1)
        else:
            check_chunks(stream, copies, processes, limit, passes=1)


def test_the_larger_share_of_a_batch_counts_too() -> None:
    with pytest.raises(ValueError, match=r"chunk of one image of a batch of 1, .* or set data.drop_last to true"):
        check_chunks(Stream(998, 997, seed=1), copies=1, processes=2, micro_batch_size=None, passes=1)
    with pytest.raises(ValueError, match=r"model.micro_batch_size leaves a chunk of one image of a batch of 61"):
        check_chunks(Stream(122, 61, seed=1), copies=1, processes=2, micro_batch_size=10, passes=1)


def test_the_last_batches_of_later_passes_count_too() -> None:
    def sizes(before: Position) -> int:
        return 10 if before.epochs < 1 else 13

    stream = Stream(40, sizes, seed=1)
    check_chunks(stream, 1, 1, None, passes=1)
    with pytest.raises(ValueError, match="a batch of 1, "):
        check_chunks(stream, 1, 1, None, passes=3)
