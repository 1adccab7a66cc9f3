"""What groups have reached once all have spent as much: at equal epochs, equal steps, and equal seconds of training."""

from collections.abc import Mapping, Sequence
from typing import Any

from studies.exhibits.curves import AXES
from studies.exhibits.exhibit import Exhibit, Found
from studies.statistics import sample
from studies.table import finished, grouped, where
from studies.tabular import Entry, Table, entry

EARLY = "A run that was not validated so early has no part in a figure; a dash: none of them was."
Curves = Sequence[Mapping[str, float]]


def exhibit(
    found: Found,
    title: str,
    metric: str,
    by: Sequence[str],
    caption: str = "",
    only: Mapping[str, Any] | None = None,
    percent: bool = False,
) -> Exhibit:
    """A row for each group: the best value of the metric up to where the group that spent least has come.

    Args:
        found: what the study found.
        title: title of the table.
        metric: column of metrics.csv, of which more is better.
        by: columns whose values tell the groups apart.
        caption: what is to be said of it.
        only: column values of the cells to show.
        percent: whether the metric is a share that is shown in per cent.
    """
    groups = {
        ", ".join(map(found.name, key)): [found.curves.get(str(row["id"]), []) for row in rows]
        for key, rows in grouped(finished(where(found.rows, only or {})), by).items()
    }
    limits = {axis: min((_end(one, axis) for cells in groups.values() for one in cells), default=0) for axis in AXES}
    shown = [axis for axis in ("epoch", "step", "seconds") if limits[axis] > 0]
    headings = [
        ", ".join(map(found.name, by)),
        *(f"best in {limits[axis]:,.0f} {_plural(axis)}" for axis in shown),
        "n",
    ]
    factor = 100 if percent else 1
    reached = {
        name: [[best(one, metric, axis, limits[axis]) for one in cells] for axis in shown]
        for name, cells in groups.items()
    }
    body = [
        [Entry(name), *(_entry(values, factor) for values in columns), entry(len(groups[name]))]
        for name, columns in reached.items()
    ]
    early = any(value is None for columns in reached.values() for values in columns for value in values)
    caption = f"{caption} {EARLY}".strip() if early else caption
    said = f"The best {found.name(metric)} on the way, mean ± standard deviation{' in per cent' if percent else ''}."
    return Exhibit(title, f"{said} {caption}".strip(), [Table(headings, body)])


def best(curve: Curves, metric: str, axis: str, limit: float) -> float | None:
    """Largest value of a metric among the rows up to a limit of an axis; None where there is none."""
    values = [row[metric] for row in curve if metric in row and row[axis] <= limit]
    return max(values, default=None)


def _end(curve: Curves, axis: str) -> float:
    return max((row.get(axis, 0.0) for row in curve), default=0.0)


def _plural(axis: str) -> str:
    return {"epoch": "epochs", "step": "steps", "seconds": "seconds of training"}[axis]


def _entry(values: Sequence[float | None], factor: float) -> Entry:
    known = sample(value for value in values if value is not None)
    if not known.n:
        return entry(None)
    digits = 2 if factor == 100 else 4
    spread = f" ± {factor * known.deviation:.{digits}f}" if known.deviation is not None else ""
    fewer = f" (n = {known.n})" if known.n < len(values) else ""
    return Entry(f"{factor * known.mean:.{digits}f}{spread}{fewer}", factor * known.mean)
