"""A metric along epochs, steps or seconds, for seeds whose places may differ."""

import numpy as np

from studies.exhibits.curves import along

METRIC = "val/accuracy"


def cell(places: list[float], values: list[float], axis: str = "step") -> list[dict[str, float]]:
    return [{axis: place, METRIC: value} for place, value in zip(places, values, strict=True)]


def test_seeds_with_the_same_places_are_as_they_are() -> None:
    curve = along([cell([10, 20, 30], [0.1, 0.3, 0.7]), cell([10, 20, 30], [0.2, 0.4, 0.6])], METRIC, "step")
    assert curve is not None and curve.x.tolist() == [10, 20, 30]
    assert curve.values.tolist() == [[0.1, 0.3, 0.7], [0.2, 0.4, 0.6]]
    cut = along([cell([10, 20, 30], [0.1, 0.3, 0.7])], METRIC, "step", until=20)
    assert cut is not None and cut.x.tolist() == [10, 20]


def test_seeds_with_other_places_are_read_between_their_own() -> None:
    """Batch sizes of a cycle differ between seeds, and so do the steps of an epoch."""
    few, many = cell([5, 15, 40], [0.0, 1.0, 2.0]), cell([10, 20, 30, 35], [0.2, 0.4, 0.6, 0.8])
    for cells in ([few, many], [many, few]):
        curve = along(cells, METRIC, "step")
        assert curve is not None and curve.x.tolist() == [15]
        assert sorted(curve.values.ravel().tolist()) == [np.interp(15, [10, 20], [0.2, 0.4]), 1.0]


def test_no_place_in_common_is_no_curve() -> None:
    assert along([cell([1, 2], [0, 1]), cell([3, 4], [0, 1])], METRIC, "step") is None
    assert along([cell([1, 2], [0, 1]), []], METRIC, "step") is None
    assert along([], METRIC, "epoch") is None
    assert along([cell([0.5], [0], "epoch"), cell([1], [0], "epoch")], METRIC, "epoch") is None
