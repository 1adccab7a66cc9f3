"""A union of types is tried in one order on every machine: a whole number is an int before it is a float.

`typing` keeps one object for unions of equal members, with the members in the order in which some module wrote them
first; jsonargparse tries them in that order. Beside a package that writes `Optional[Union[float, int]]`, Lightning's
`Optional[Union[int, float]]` becomes that: `--trainer.limit_train_batches 1` is then no longer one batch but 1.0, all
of them, and 10 is recorded as 10.0.
"""

from collections.abc import Callable, Sequence
from typing import Any

Sorter = Callable[..., Sequence[Any]]


def whole_numbers_first(sorter: Sorter) -> Sorter:
    """A function that sorts the types of a union as another does, but int before float.

    Args:
        sorter: function from a union's types, and whatever else it takes, to the same types in another order.
    """

    def sort(types: Sequence[Any], *others: Any) -> Sequence[Any]:
        found = list(sorter(types, *others))
        if int in found and float in found and found.index(float) < found.index(int):
            found.remove(int)
            found.insert(found.index(float), int)
        return found

    return sort
