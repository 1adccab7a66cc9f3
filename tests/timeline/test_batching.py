"""Steps of scheduled sizes: each sample once a pass, whatever the schedule."""

import numpy as np
import pytest

from timeline.position import Position
from timeline.stream import Stream


def slow_cuts(samples: int, sizes, drop_last: bool, steps: int) -> list[tuple[int, int, int]]:
    """The obvious walk: (pass, start, stop) of each step."""
    places, epoch, start, seen = [], 0, 0, 0
    while len(places) < steps:
        size = sizes(Position(len(places), seen, epoch + start / samples))
        if start + size > samples and drop_last:
            epoch, start = epoch + 1, 0
            continue
        stop = min(start + size, samples)
        places.append((epoch, start, stop))
        seen += stop - start
        epoch, start = (epoch + 1, 0) if stop == samples else (epoch, stop)
    return places


def random_schedule(seed: int, largest: int):
    """Sizes that vary strongly with the position, the same at each call."""
    table = np.random.Generator(np.random.Philox(seed)).integers(1, largest + 1, 997)
    return lambda position: int(table[(position.step * 31 + position.samples * 7 + int(position.epochs * 13)) % 997])


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("drop_last", [False, True])
def test_equals_the_obvious_walk(seed: int, drop_last: bool) -> None:
    sizes = random_schedule(seed, largest=40)
    stream = Stream(101, sizes, seed=3, drop_last=drop_last)
    expected = slow_cuts(101, sizes, drop_last, 60)
    for step in np.random.Generator(np.random.Philox(1)).permutation(60):  # in any order
        assert stream.place(int(step)) == expected[step]
        before = sum(stop - start for _, start, stop in expected[:step])
        assert stream.position(int(step)).samples == before


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_each_sample_once_a_pass_over_the_ranks(seed: int, ranks: int) -> None:
    """Property: whatever the schedule and the number of processes, a pass shows each sample exactly once."""
    from datamodules.loaders import Store, TrainLoader

    samples = 97
    stream = Stream(samples, random_schedule(seed, largest=150 if seed % 2 else 12), seed=seed)
    store = Store(np.arange(samples, dtype=np.uint8).reshape(-1, 1, 1, 1), np.arange(samples))
    loaders = [TrainLoader(store, np.arange(samples), stream, lambda: 0, rank, ranks) for rank in range(ranks)]
    for epoch in range(4):
        seen: list[int] = []
        for step in range(stream.first_step(epoch), stream.first_step(epoch + 1)):
            parts = [loader.batch(step) for loader in loaders]
            assert sum(map(len, parts)) == stream.size(step)
            places = np.sort(np.concatenate([part.places for part in parts]))
            assert places.tolist() == list(range(stream.size(step)))
            seen += [int(label) for part in parts for label in part.labels]
        assert sorted(seen) == list(range(samples))


def test_a_constant_schedule_is_the_constant_layout() -> None:
    for drop_last in (False, True):
        constant, scheduled = (Stream(101, size, 5, drop_last) for size in (16, lambda position: 16))
        for step in range(40):
            assert constant.place(step) == scheduled.place(step)
            assert constant.position(step) == scheduled.position(step)
            assert constant.indices(step).tolist() == scheduled.indices(step).tolist()
        assert [constant.steps_in(epoch) for epoch in range(5)] == [scheduled.steps_in(epoch) for epoch in range(5)]


def test_positions_know_steps_samples_and_passes() -> None:
    asked: list[Position] = []

    def sizes(position: Position) -> int:
        asked.append(position)
        return 4

    Stream(10, sizes, seed=0).place(4)
    assert asked == [(0, 0, 0.0), (1, 4, 0.4), (2, 8, 0.8), (3, 10, 1.0), (4, 14, 1.4), (5, 18, 1.8)]


def test_laid_anew() -> None:
    stream = Stream(10, 5, seed=0)
    stream.lay(lambda position: 2)
    assert stream.steps_in(0) == 5
    stream.lay(10)
    assert stream.steps_in(0) == 1


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match="batch size must be at least 1, got 0 at step 0"):
        Stream(10, lambda position: 0, seed=0).place(0)
    with pytest.raises(ValueError, match="batch size 11 exceeds the 10 training samples at step 0"):
        Stream(10, lambda position: 11, seed=0, drop_last=True).place(0)
