import numpy as np
import pytest

from timeline.stream import Stream, permutation


def slow_stream(samples: int, batch_size: int, seed: int, drop_last: bool, steps: int) -> list[list[int]]:
    """The obvious way: walk through the epochs and cut lists."""
    batches: list[list[int]] = []
    epoch = 0
    while len(batches) < steps:
        words = np.random.Philox(key=[seed, 1], counter=[0, 0, epoch, 0]).random_raw(samples)
        order = sorted(range(samples), key=lambda sample: int(words[sample]))
        while order and not (drop_last and len(order) < batch_size):
            batches.append(order[:batch_size])
            order = order[batch_size:]
        epoch += 1
    return batches[:steps]


SIZES = [(10, 3), (10, 5), (7, 7), (5, 1), (64, 10)]


@pytest.mark.parametrize("samples, batch_size, drop_last", [(3, 8, False), *((*s, d) for s in SIZES for d in (0, 1))])
def test_equals_the_obvious_walk(samples: int, batch_size: int, drop_last: bool) -> None:
    stream = Stream(samples, batch_size, seed=3, drop_last=drop_last)
    expected = slow_stream(samples, batch_size, 3, drop_last, 40)
    asked = np.random.Generator(np.random.Philox(1)).permutation(40)  # in any order: a step stands by itself
    for step in asked:
        assert stream.indices(int(step)).tolist() == expected[step]
        assert stream.size(int(step)) == len(expected[step])
        assert stream.position(int(step)).samples == sum(map(len, expected[:step]))


def test_each_sample_once_an_epoch() -> None:
    stream = Stream(101, 8, seed=0)
    for epoch in range(3):
        steps = range(stream.first_step(epoch), stream.first_step(epoch + 1))
        assert sorted(np.concatenate([stream.indices(step) for step in steps])) == list(range(101))


def test_seeds_and_epochs_give_other_orders() -> None:
    orders = {permutation(seed, epoch, 50).tobytes() for seed in range(4) for epoch in range(4)}
    assert len(orders) == 16


def test_frozen_order() -> None:
    """The same on every machine and with every numpy: these numbers must never change."""
    assert permutation(1, 0, 10).tolist() == [0, 6, 5, 3, 4, 9, 7, 8, 2, 1]


def test_rest_of_the_epoch() -> None:
    assert list(Stream(10, 3, seed=0).steps(5)) == [5, 6, 7]
    assert list(Stream(10, 3, seed=0).steps(8)) == [8, 9, 10, 11]


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        Stream(10, 0, seed=0)
    with pytest.raises(ValueError, match="batch_size 11 exceeds the 10 training samples"):
        Stream(10, 11, seed=0, drop_last=True)
    with pytest.raises(ValueError, match="training set is empty"):
        Stream(0, 1, seed=0)
