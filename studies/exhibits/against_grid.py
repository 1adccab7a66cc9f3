"""A rate that each run found for itself, against the best of a grid of fixed rates: a table, and a panel a group."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from figures.lr_grid import Panel, draw
from studies.against_grid import Comparison, compare
from studies.exhibits.exhibit import Exhibit, Found
from studies.statistics import Sample, sample
from studies.table import grouped, where
from studies.tabular import Entry, Table, entry


def exhibit(
    found: Found,
    title: str,
    by: str,
    of: str,
    rates: Mapping[str, Any],
    metric: str,
    y: str,
    caption: str = "",
    only: Mapping[str, Any] | None = None,
) -> Exhibit:
    """A row and a panel for each group.

    Args:
        found: what the study found.
        title: title above them.
        by: column whose values tell the groups apart.
        of: column of the grid's rates.
        rates: column values of the cells that found their rate.
        metric: column of the results, a share of which more is better; it is shown in per cent.
        y: label of the vertical axes.
        caption: what is to be said of it.
        only: column values of the cells to show.
    """
    groups = {
        found.name(key): compare(rows, metric, of, rates)
        for (key,), rows in grouped(where(found.rows, only or {}), [by]).items()
    }
    seeds = max((len(one.grid[rate]) for one in groups.values() for rate in one.grid), default=0)
    headings = [
        found.name(by), "suggested rate, over seeds", "accuracy at it, %", "best rate of the grid", "accuracy at it, %",
        "difference, points", "refusals",
    ]  # fmt: skip
    table = Table(headings, [_line(name, one, seeds) for name, one in groups.items()])
    said = (
        f"Mean ± standard deviation over n = {seeds} seeds unless stated; differences are paired by seed. "
        "Vertical lines: suggested rates. A best at an end of the grid is marked *."
    )
    figure = draw([_panel(name, one) for name, one in groups.items()], y)
    return Exhibit(title, f"{said} {caption}".strip(), [table], figure)


def _line(name: str, one: Comparison, seeds: int) -> list[Entry]:
    rates, gap = list(one.rates.values()), one.difference
    best = one.grid[one.best] if one.best is not None else {}
    low, high = (f"{end(rates):.2g}" if rates else "none" for end in (min, max))
    return [
        Entry(name),
        Entry(low if low == high else f"{low} to {high}", min(rates, default=None)),
        _share(sample(one.reached.values()), seeds),
        entry(None) if one.best is None else Entry(f"{one.best:.2g}{' *' if one.at_edge else ''}", one.best),
        _share(sample(best.values()), seeds),
        Entry(f"{100 * gap.mean:+.2f}", 100 * gap.mean) if gap.n else entry(None),
        entry(one.refused),
    ]


def _share(values: Sample, seeds: int) -> Entry:
    if not values.n:
        return entry(None)
    spread = "" if values.deviation is None else f" ± {100 * values.deviation:.2f}"
    few = "" if values.n == seeds else f" (n = {values.n})"
    return Entry(f"{100 * values.mean:.2f}{spread}{few}", 100 * values.mean)


def _panel(name: str, one: Comparison) -> Panel:
    """The grid at the rates and seeds that have a result, in per cent."""
    rates = [rate for rate, values in one.grid.items() if values]
    seeds = sorted({seed for rate in rates for seed in one.grid[rate]}, key=str)
    points = [[100 * one.grid[rate].get(seed, np.nan) for rate in rates] for seed in seeds]
    trained = [seed for seed in one.rates if seed in one.reached]
    return Panel(
        f"{name} ({one.refused} of {one.asked} refused)" if one.refused else name,
        np.array(rates, dtype=float),
        np.array(points, dtype=float).reshape(len(seeds), len(rates)),
        np.array([one.rates[seed] for seed in trained]),
        np.array([100 * one.reached[seed] for seed in trained]),
    )
