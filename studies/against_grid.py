"""A rate that each run found for itself, against the best of a grid of fixed rates: how far it falls short, by seed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from studies.statistics import Sample, paired
from studies.table import SEED, Row, by_seed, described, grouped, where

REFUSED = "refused"
RATE = "lr"  # column of a run's record that holds the rate which its range test found


@dataclass(frozen=True)
class Comparison:
    """One group, such as an optimizer, with its grid and its found rates.

    Attributes:
        grid: metric of each seed at each rate of the grid, rates increasing.
        rates: rate that each seed found whose test did not refuse.
        reached: metric of each seed that trained at its found rate.
        best: rate of the grid with the best mean over its seeds; None if no rate has all of them.
        refused: number of seeds whose test refused.
        asked: number of seeds that asked for a rate.
    """

    grid: Mapping[float, Mapping[Any, float]]
    rates: Mapping[Any, float]
    reached: Mapping[Any, float]
    best: float | None
    refused: int
    asked: int

    @property
    def difference(self) -> Sample:
        """What the found rate reaches beyond the best of the grid, paired by seed."""
        return paired(self.reached, {} if self.best is None else self.grid[self.best])

    @property
    def at_edge(self) -> bool:
        """Whether the best lies at an end of the grid, beyond which a better one may lie."""
        return self.best is not None and len(self.grid) > 2 and self.best in (min(self.grid), max(self.grid))


def compare(rows: Sequence[Row], metric: str, of: str, found: Mapping[str, Any]) -> Comparison:
    """Compare the runs of one group.

    The best of the grid is chosen once, by the mean over the seeds and not for each seed, among the rates at which no
    cell was lost.

    Args:
        rows: rows of the group's cells; those with neither a rate of the grid nor the found one's values are left out.
        metric: column of which more is better.
        of: column of the grid's rates.
        found: column values of the cells that found their rate.
    """
    theirs = where(rows, found)
    grid = [row for row in rows if row not in theirs and row.get(of) is not None]
    settings = {rate: cells for (rate,), cells in sorted(grouped(grid, [of]).items())}
    whole = [rate for rate, cells in settings.items() if described(cells, metric).n == len(cells)]
    best = max(whole, key=lambda rate: described(settings[rate], metric).mean, default=None)
    return Comparison(
        {rate: by_seed(cells, metric) for rate, cells in settings.items()},
        by_seed(theirs, RATE),
        by_seed(theirs, metric),
        best,
        sum(row["status"] == REFUSED for row in theirs),
        len({row.get(SEED) for row in theirs}),
    )


def near_best(
    rows: Sequence[Row],
    named: Callable[[Any], str],
    metric: str,
    by: str,
    of: str,
    found: Mapping[str, Any],
    within: float,
    least: int | None = None,
) -> tuple[bool, str]:
    """Whether found rates come within a distance of the best of the grid, or above it.

    A group whose tests all refused is not near.

    Args:
        rows: rows of all groups.
        named: function from a column's value to what the report calls it.
        metric: column of which more is better.
        by: column that tells the groups apart.
        of: column of the grid's rates.
        found: column values of the cells that found their rate.
        within: distance that is still near.
        least: number of groups in which it must hold, all by default.
    """
    groups = {key: compare(cells, metric, of, found) for (key,), cells in grouped(rows, [by]).items()}
    gaps = {key: one.difference for key, one in groups.items()}
    near = [key for key, gap in gaps.items() if gap.n and gap.mean >= -within]
    shown = ", ".join(f"{named(key)} {f'{gap.mean:+.4f}' if gap.n else 'none'}" for key, gap in gaps.items())
    return len(near) >= (len(groups) if least is None else least), (
        f"{len(near)} of {len(groups)} within {within:g} of the best of the grid; differences: {shown}"
    )


def refusals(rows: Sequence[Row], named: Callable[[Any], str], most: int) -> tuple[bool, str]:
    """Whether no more cells than so many were refused what they asked for.

    Args:
        rows: rows of the cells.
        named: function from a column's value to what the report calls it.
        most: largest number of refused cells.
    """
    count = sum(row["status"] == REFUSED for row in rows)
    return count <= most, f"{count} of {len(rows)} refused, allowed {most}"
