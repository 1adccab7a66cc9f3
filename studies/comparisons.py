"""Checks of claims that compare cells: pure functions of their rows, each with a line of the numbers that decide."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from math import isclose
from typing import Any

from studies.statistics import Sample, chance, paired
from studies.table import Row, by_seed, described, grouped, lost, where

Named = Callable[[Any], str]


def best(
    rows: Sequence[Row], named: Named, metric: str, of: str, value: Any, goal: str = "highest"
) -> tuple[bool, str]:
    """Whether the metric is highest (or lowest) at one value of a column, against each of the others.

    Args:
        rows: rows of the cells.
        named: function from a column's value to what the report calls it.
        metric: column that is compared.
        of: column whose values tell the settings apart.
        value: its value at which the metric is the best.
        goal: `highest` or `lowest`.

    Raises:
        ValueError: the goal is neither.
    """
    if goal not in ("highest", "lowest"):
        raise ValueError(f"best: goal must be highest or lowest, got {goal}")
    settings = {key: group for (key,), group in grouped(rows, [of]).items()}
    key = tuple(value) if isinstance(value, list) else value
    if key not in settings:
        return False, f"{named(of)} = {named(value)} has not run"
    sign = {"highest": 1, "lowest": -1}[goal]
    ranked = sorted(settings, key=lambda name: -sign * _level(settings[name], metric, sign))
    rival = next((name for name in ranked if name != key), None)
    if rival is None:
        return (
            False,
            f"{_shown(settings[key], metric)} at {named(of)} = {named(value)}: there is nothing to compare it with",
        )
    good, gap = _beyond(settings[key], settings[rival], metric, sign)
    edge = " (at the edge of the grid)" if ranked[0] in _edges(settings) else ""
    return good and ranked[0] == key, (
        f"{goal} at {named(ranked[0])}{edge}; {named(key)}: {_shown(settings[key], metric)}, "
        f"{named(rival)}: {_shown(settings[rival], metric)}; {gap}"
    )


def order(rows: Sequence[Row], named: Named, metric: str, of: str, values: Sequence[Any]) -> tuple[bool, str]:
    """Whether the metric grows from each of these values of a column to the next.

    Args:
        rows: rows of the cells.
        named: function from a column's value to what the report calls it.
        metric: column that is compared.
        of: column whose values tell the settings apart.
        values: its values, in the order in which the metric grows.
    """
    settings = {key: group for (key,), group in grouped(rows, [of]).items()}
    missing = [value for value in values if value not in settings]
    if missing:
        return False, f"{named(of)} = {named(missing[0])} has not run"
    steps = [_beyond(settings[high], settings[low], metric, 1) for low, high in pairwise(values)]
    shown = ", ".join(f"{named(value)}: {_shown(settings[value], metric)}" for value in values)
    return all(good for good, _ in steps), f"{shown}; steps: {'; '.join(gap for _, gap in steps)}"


def alike(
    rows: Sequence[Row], named: Named, metric: str, of: str, values: Sequence[Any], within: float
) -> tuple[bool, str]:
    """Whether two values of a column differ by no more than their seeds do: a paired t-test, and a margin.

    Args:
        rows: rows of the cells.
        named: function from a column's value to what the report calls it.
        metric: column that is compared.
        of: column that has the two values.
        values: the two values.
        within: largest distance of the means, so that few or noisy seeds are not taken for likeness.
    """
    one, other = (where(rows, {of: value}) for value in values)
    gap = paired(by_seed(one, metric), by_seed(other, metric))
    shown = ", ".join(
        f"{named(value)}: {_shown(group, metric)}" for value, group in zip(values, (one, other), strict=True)
    )
    if gap.interval is None:
        return False, f"{shown}; {gap.n} seeds ran in both, and a test takes 3"
    low, high = gap.interval
    return low <= 0 <= high and abs(gap.mean) <= within, (
        f"{shown}; difference {gap.mean:+.4g} [{low:+.4g}, {high:+.4g}], n = {gap.n}, p = {chance(gap):.2g}, "
        f"allowed {within:g}"
    )


def near(rows: Sequence[Row], named: Named, metric: str, value: float, within: float) -> tuple[bool, str]:
    """Whether the mean lies within a distance of the published value.

    Args:
        rows: rows of the cells.
        named: function from a column's value to what the report calls it.
        metric: column of the mean.
        value: published value.
        within: largest distance.
    """
    found = described(rows, metric)
    gap = 0.0 if isclose(found.mean, value) else found.mean - value  # no rounding of the mean is told as a difference
    return found.n > 0 and abs(gap) <= within, (
        f"{_shown(rows, metric)}; published {value:g}, difference {gap:+.4g}, allowed {within:g}"
    )


def at_least(rows: Sequence[Row], named: Named, metric: str, value: float) -> tuple[bool, str]:
    """Whether the mean reaches a value.

    Args:
        rows: rows of the cells.
        named: function from a column's value to what the report calls it.
        metric: column of the mean.
        value: least value.
    """
    found = described(rows, metric)
    return found.n > 0 and found.mean >= value, f"{_shown(rows, metric)}; asked for {value:g}"


def falling(rows: Sequence[Row], named: Named, metrics: Sequence[str]) -> tuple[bool, str]:
    """Whether the mean falls from each of these columns to the next.

    Args:
        rows: rows of the cells.
        named: function from a column's value to what the report calls it.
        metrics: columns, in the order in which the mean falls.
    """
    means = [described(rows, metric).mean for metric in metrics]
    shown = ", ".join(f"{named(name)} {mean:.2g}" for name, mean in zip(metrics, means, strict=True))
    return all(after < before for before, after in pairwise(means)), shown


def passing(
    rows: Sequence[Row], named: Named, metric: str, of: Sequence[str], value: float, cells: Sequence[Any]
) -> tuple[bool, str]:
    """Whether exactly these settings reach a value; a setting is its values of the columns `of`.

    Args:
        rows: rows of the cells.
        named: function from a column's value to what the report calls it.
        metric: column that has to reach the value.
        of: columns whose values tell the settings apart.
        value: least value.
        cells: values of `of` for each setting that reaches it.
    """
    wanted = {tuple(tuple(part) if isinstance(part, list) else part for part in cell) for cell in cells}
    reach = {key for key, group in grouped(rows, of).items() if _level(group, metric, 1) >= value}
    extra, missed = (
        [f"({', '.join(map(named, key))})" for key in sorted(keys, key=str)]
        for keys in (reach - wanted, wanted - reach)
    )
    line = f"{len(reach)} settings reach {value:g}, published {len(wanted)}"
    line += f"; besides: {', '.join(extra)}" if extra else ""
    return reach == wanted, line + (f"; missing: {', '.join(missed)}" if missed else "")


def ratio(
    rows: Sequence[Row],
    named: Named,
    metric: str,
    a: Mapping[str, Any],
    b: Mapping[str, Any],
    least: float = 0.0,
    most: float = float("inf"),
) -> tuple[bool, str]:
    """Whether the metric of one setting over that of another lies between two bounds.

    Args:
        rows: rows of the cells.
        named: function from a column's value to what the report calls it.
        metric: column that is compared.
        a: column values of the setting above the line.
        b: column values of the setting below the line.
        least: lower bound.
        most: upper bound.
    """
    above, below = described(where(rows, a), metric), described(where(rows, b), metric)
    if not above.n or not below.n or below.mean == 0:
        return False, "a setting has no result"
    found = above.mean / below.mean
    return least <= found <= most, f"{found:.3g} ({above.mean:.4g} over {below.mean:.4g}, n = {above.n} and {below.n})"


def beats(
    rows: Sequence[Row], named: Named, metric: str, a: Mapping[str, Any], b: Mapping[str, Any]
) -> tuple[bool, str]:
    """Whether the metric of one setting is above that of another, each given by its column values.

    Args:
        rows: rows of the cells.
        named: function from a column's value to what the report calls it.
        metric: column that is compared.
        a: column values of the setting that is above.
        b: column values of the other.
    """
    one, other = where(rows, a), where(rows, b)
    if not one or not other:
        return False, "a setting has not run"
    good, gap = _beyond(one, other, metric, 1)
    return good, f"{_shown(one, metric)} against {_shown(other, metric)}; {gap}"


def _level(rows: Sequence[Row], metric: str, sign: int) -> float:
    """Mean of a setting; where every cell of it was lost, the worst there is."""
    found = described(rows, metric)
    return found.mean if found.n else -sign * float("inf")


def _beyond(high: Sequence[Row], low: Sequence[Row], metric: str, sign: int) -> tuple[bool, str]:
    """Whether `high` is beyond `low` in the direction of `sign`, by more than the seeds' spread where it is known."""
    a, b = by_seed(high, metric), by_seed(low, metric)
    if not a or not b:
        return bool(a), "the other has no result" if a else "it has no result"
    gap: Sample = paired(a, b)
    if not gap.n:
        return False, "no seed ran in both"
    if gap.interval is None:
        return sign * gap.mean > 0, f"difference {gap.mean:+.4g}, n = {gap.n}: the spread is not known"
    nearer = min(sign * end for end in gap.interval)
    within = "" if nearer > 0 or sign * gap.mean < 0 else ", within the spread between seeds"
    low_end, high_end = gap.interval
    return nearer > 0, f"difference {gap.mean:+.4g} [{low_end:+.4g}, {high_end:+.4g}], n = {gap.n}{within}"


def _shown(rows: Sequence[Row], metric: str) -> str:
    found = described(rows, metric)
    gone = lost(rows, metric)
    if not found.n:
        return gone or "no result"
    spread = f" (sd {found.deviation:.2g}, n = {found.n})" if found.deviation is not None else " (n = 1)"
    mean = f"{found.mean:,.0f}" if found.mean.is_integer() else f"{found.mean:.4g}"
    return f"{mean}{spread}" + (f", {gone}" if gone else "")


def _edges(settings: Mapping[Any, Any]) -> set[Any]:
    """Smallest and largest of a grid of numbers; names have no edge."""
    if len(settings) < 3 or not all(isinstance(key, int | float) and not isinstance(key, bool) for key in settings):
        return set()
    return {min(settings), max(settings)}
