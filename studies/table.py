"""The rows of a study, one a cell: picked, grouped, and described over seeds."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from studies.statistics import Sample, sample

SEED = "seed_everything"
# What `TimeToTarget` counts up to the target, and on to the end where that is not reached; then it is no result.
TO_TARGET = tuple(f"time_to_target/{name}" for name in ("epochs", "steps", "samples", "seconds"))
REACHED = "time_to_target/reached"
Row = Mapping[str, Any]


def where(rows: Iterable[Row], wanted: Mapping[str, Any]) -> list[Row]:
    """Rows whose values are the wanted ones; a list of wanted values means any of them."""
    return [row for row in rows if all(_is(row.get(name), value) for name, value in wanted.items())]


def grouped(rows: Iterable[Row], keys: Sequence[str]) -> dict[tuple[Any, ...], list[Row]]:
    """Rows by the values of some columns, groups in the order of their first rows."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(_hashable(row.get(key)) for key in keys), []).append(row)
    return groups


def finished(rows: Iterable[Row]) -> list[Row]:
    """Rows of cells that came to their end; not those that diverged, were refused, or failed."""
    return [row for row in rows if row["status"] == "finished"]


def by_seed(rows: Iterable[Row], metric: str) -> dict[Any, float]:
    """A metric of each finished row, by its seed; what leads to a target only where that was reached.

    Raises:
        ValueError: two rows have the same seed, so that the group is of more than one setting.
    """
    values: dict[Any, float] = {}
    for row in finished(rows):
        if row.get(metric) is None or _short_of_target(row, metric):
            continue
        if row.get(SEED) in values:
            raise ValueError(f"{metric}: two cells of a group have seed {row.get(SEED)}: name what tells them apart")
        values[row.get(SEED)] = float(row[metric])
    return values


def described(rows: Iterable[Row], metric: str) -> Sample:
    """Mean, deviation and interval of a metric over the finished rows of one setting."""
    return sample(by_seed(rows, metric).values())


def lost(rows: Iterable[Row], metric: str = "") -> str:
    """How many cells have no result, in words: '1 of 3 diverged'; empty if all have.

    Args:
        rows: rows of a group.
        metric: metric that is shown beside it, which a run that has not reached its target may be without.
    """
    rows = list(rows)
    counts: dict[str, int] = {}
    for row in rows:
        why = row["status"]
        if why == "finished" and _short_of_target(row, metric):
            why = "not reached"
        if why != "finished":
            counts[why] = counts.get(why, 0) + 1
    return ", ".join(f"{count} of {len(rows)} {status}" for status, count in counts.items())


def _short_of_target(row: Row, metric: str) -> bool:
    return metric in TO_TARGET and row.get(REACHED) == 0


def _is(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, list) and not isinstance(value, list):
        return value in wanted
    return bool(value == wanted)


def _hashable(value: Any) -> Any:
    return tuple(map(_hashable, value)) if isinstance(value, list) else value
