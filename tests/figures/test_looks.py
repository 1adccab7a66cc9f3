"""Groups of a figure are told apart by what they are drawn with."""

import itertools

import pytest

from figures.style import looks


@pytest.mark.parametrize(
    "keys",
    [
        [(name,) for name in "abcdefghijklmnopqrst"],
        list(itertools.product(["relu", "sigmoid", "tanh"], [1, 2, 3, 4])),
        list(itertools.product("ab", "cd", "ef")),
    ],
)
def test_no_two_groups_look_alike(keys: list[tuple[object, ...]]) -> None:
    assert len(set(looks(keys))) == len(keys)


def test_the_first_column_is_told_by_colour() -> None:
    found = looks(list(itertools.product("ab", [1, 2])))
    assert [look.colour for look in found[:2]] == [found[0].colour] * 2 != [look.colour for look in found[2:]]
    assert found[0].marker == found[2].marker != found[1].marker
