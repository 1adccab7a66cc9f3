"""A refactoring changes no bit of a run: eight runs against the record of them.

What the record holds is written before a change by `python -m tests.same_to_the_bit write`, and never to make this pass
after a change that was to leave behaviour alone.
"""

from typing import Any

import pytest

from callbacks.range_tests.lr_curve import PER_DECADE
from tests.same_to_the_bit.record import differences, whole
from tests.same_to_the_bit.runs import RUNS, machine, observed

pytestmark = pytest.mark.slow
POINT = 10 ** (1 / PER_DECADE) - 1  # from one point of the grid to the next, as a part


@pytest.fixture(scope="module", params=RUNS)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """A run as it was recorded, and as it is."""
    return whole()["runs"][request.param], observed(request.param, tmp_path_factory.mktemp("runs"))


def test_same_to_the_bit(pair: tuple[Any, Any]) -> None:
    if (there := whole()["machine"]) != (here := machine()):
        pytest.skip(f"recorded on {there}, this is {here}, which may round otherwise")
    assert differences(*pair) == []


def test_same_but_for_rounding_on_any_machine(pair: tuple[Any, Any]) -> None:
    """Rounding grows as a training goes on, so the first row alone is compared.

    An accuracy moves by whole images: one of the row's hundred and more, at a tie of two classes, may fall to either.
    Bounds that a range test has found move by whole points of its curve's grid, as a hundred and more steps of training
    stand before them; the rate between them lies where it lay.
    """
    before, after = (run["metrics"][0] for run in pair)
    assert before.keys() == after.keys()
    for key, value in before.items():
        image = 0.01 if key.endswith(("accuracy", "error")) else 0
        expected = between(float(value), *pair) if key == "lr" else float(value)
        assert float(after[key]) == pytest.approx(expected, rel=1e-3, abs=image), key


def between(rate: float, *pair: Any) -> float:
    """The recorded rate, as far between the bounds that were found now as it was between the recorded ones."""
    found = [run["range tests"].get("lr_range_test") for run in pair]
    if None in found:
        return rate
    (low, high), (lower, upper) = (one["bounds"] for one in found)
    assert (lower, upper) == pytest.approx((low, high), rel=POINT)
    return lower + (upper - lower) * (rate - low) / (high - low)


def test_a_difference_is_told(pair: tuple[Any, Any]) -> None:
    """The comparison itself: one changed digit of one row, and another digest."""
    run = pair[1]
    row = run["metrics"][-1]
    changed = run | {"weights": "0", "metrics": [*run["metrics"][:-1], row | {"train/loss": "0.5"}]}
    told = differences(run, changed)
    assert told[0] == "weights differ"
    assert told[1].startswith(f"metrics differ from step {row['step']} on: train/loss 0.5")
