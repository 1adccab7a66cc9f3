"""Checks of arguments: what passes, and the one line that says what does not."""

import math
import re
from collections.abc import Callable

import pytest

from checks.arguments import (
    require_at_least,
    require_choice,
    require_not_negative,
    require_number,
    require_positive,
    require_within,
)


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (lambda: require_positive(a=1, size=0), "size must be at least 1, got 0: give a positive whole number"),
        (lambda: require_at_least(20, "40 is usual", steps=19), "steps must be at least 20, got 19: 40 is usual"),
        (lambda: require_at_least(1, "try 1", steps=math.nan), "steps must be at least 1, got nan: try 1"),
        (lambda: require_not_negative("try 0", seed=-1), "seed must not be negative, got -1: try 0"),
        (lambda: require_not_negative("try 0", **{"ratios['a']": -1.5}), "ratios['a'] must not be negative, got -1.5"),
        (lambda: require_within("[0, 1)", "try 0.5", dropout=1.0), "dropout must lie in [0, 1), got 1.0: try 0.5"),
        (lambda: require_within("(0, 1]", "try 0.5", accuracy=0), "accuracy must lie in (0, 1], got 0: try 0.5"),
        (lambda: require_within("[0, 1]", "try 0.5", p=math.nan), "p must lie in [0, 1], got nan: try 0.5"),
        (lambda: require_number("(0, inf)", "try 0.001", lr=0), "lr must be a number in (0, inf), got 0: try 0.001"),
        (lambda: require_number("[0, inf)", "try 1", lr=math.inf), "lr must be a number in [0, inf), got inf: try 1"),
        (lambda: require_number("[0, inf)", "try 1", lr="1"), "lr must be a number in [0, inf), got '1': try 1"),
        (lambda: require_number("[0, 1]", "try 1", lr=True), "lr must be a number in [0, 1], got True: try 1"),
        (lambda: require_choice((1, "b"), a="b", mode="c"), "mode must be one of 1, b, got 'c': choose one of them"),
    ],
)
def test_one_line_names_argument_value_and_remedy(check: Callable[[], None], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}") as caught:
        check()
    assert "\n" not in str(caught.value)


def test_ends_of_intervals() -> None:
    require_within("[0, 1)", "", value=0)
    require_within("(0, 1]", "", value=1)
    require_within("[0, 18446744073709551616)", "", seed=2**63)
    require_number("[0, inf)", "", lr=0.0, rho=1e300)
    require_at_least(1, "", size=1)
    require_not_negative("", padding=0)
    require_choice((None, "a"), init=None)
