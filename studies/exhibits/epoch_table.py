"""A metric at the end of each epoch, a column for each group, beside the published one."""

from collections.abc import Mapping, Sequence
from typing import Any

from studies.exhibits.curves import along
from studies.exhibits.exhibit import Exhibit, Found
from studies.table import finished, grouped, where
from studies.tabular import Entry, Table, entry


def exhibit(
    found: Found,
    title: str,
    metric: str,
    by: Sequence[str],
    caption: str = "",
    only: Mapping[str, Any] | None = None,
    published: Mapping[str, Any] | None = None,
    digits: int = 4,
) -> Exhibit:
    """A row for each epoch.

    Args:
        found: what the study found.
        title: title of the table.
        metric: column of metrics.csv.
        by: columns whose values tell the groups apart.
        caption: what is to be said of it.
        only: column values of the cells to show.
        published: `file`, `x` (its column of epochs) and `columns` (its column for a group's name).
        digits: decimals.
    """
    ours: dict[str, dict[int, Sequence[float]]] = {}
    for key, rows in grouped(finished(where(found.rows, only or {})), by).items():
        curve = along([found.curves.get(str(row["id"]), []) for row in rows], metric, "epoch")
        if curve is not None:
            epochs = [round(float(place) + 0.4999) for place in curve.x]  # an epoch's mean stands at its middle
            ours[", ".join(map(found.name, key))] = dict(zip(epochs, curve.values.T, strict=True))
    printed = {int(row[published["x"]]): row for row in found.published(published["file"])} if published else {}
    headings, columns = ["epoch"], published["columns"] if published else {}
    for name in ours:
        headings += [name, *([f"{name}, published"] if name in columns else [])]
    body = []
    for epoch in sorted({epoch for values in ours.values() for epoch in values}):
        line = [entry(epoch)]
        for name, values in ours.items():
            line.append(_entry(values.get(epoch), digits))
            if name in columns:
                text = printed.get(epoch, {}).get(columns[name])
                line.append(Entry(f"{float(text):.{digits}f}", float(text)) if text else entry(None))
        body.append(line)
    return Exhibit(title, caption, [Table(headings, body)])


def _entry(values: Sequence[float] | None, digits: int) -> Entry:
    if values is None:
        return entry(None)
    mean = sum(values) / len(values)
    spread = f" ({min(values):.{digits}f} to {max(values):.{digits}f})" if len(values) > 1 else ""
    return Entry(f"{mean:.{digits}f}{spread}", float(mean))
