"""The length of an epoch, by its first step and its limit."""

import pytest

from timeline.stream import Stream
from trainer.epoch_length import epoch_length


@pytest.mark.parametrize(
    ("start", "limit", "length"),
    [
        (0, 1.0, 4),
        (8, 1.0, 4),
        (6, 1.0, 2),  # begins in the middle of a pass: to its end
        (0, 4, 4),
        (6, 9, 2),  # no limit, as a pass has 4 steps
        (0, 3, 3),
        (3, 3, 3),  # the pass's last step and two of the next
        (0, 0.5, 2),
        (6, 0.75, 3),
        (0, 0.1, 1),
    ],
)
def test_length(start: int, limit: int | float, length: int) -> None:
    assert epoch_length(Stream(100, 28, seed=0), start, limit) == length


def test_passes_of_unequal_length() -> None:
    stream = Stream(100, lambda position: 20 if position.step < 5 else 50, seed=0)  # 5 steps, then 2 a pass
    assert [epoch_length(stream, start, 1.0) for start in (0, 4, 5, 6)] == [5, 1, 2, 1]
    assert [epoch_length(stream, start, 3) for start in (0, 3, 6)] == [3, 3, 1]
    assert [epoch_length(stream, start, 0.5) for start in (0, 2, 4, 5)] == [2, 2, 2, 1]
