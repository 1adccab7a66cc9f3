"""A table of settings: mean, deviation and n of each metric, beside the published number where there is one."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from studies.exhibits.exhibit import Exhibit, Found
from studies.table import Row, described, grouped, lost, where
from studies.tabular import Entry, Table, entry


def exhibit(
    found: Found,
    title: str,
    rows: Sequence[str],
    metrics: Mapping[str, str],
    caption: str = "",
    only: Mapping[str, Any] | None = None,
    published: Mapping[str, Any] | None = None,
    percent: Sequence[str] = (),
) -> Exhibit:
    """A row for each setting.

    Args:
        found: what the study found.
        title: title of the table.
        rows: columns whose values tell the settings apart.
        metrics: heading of each metric, by its column.
        caption: what is to be said of it.
        only: column values of the cells to show.
        published: `file`, `match` (its column for each of `rows`), `values` (its column for each metric), and `unit`,
            the number by which a published value is multiplied to be in the unit of ours; 1 unless given.
        percent: metrics that are shown in per cent.
    """
    groups = grouped(where(found.rows, only or {}), rows)
    headings = [found.name(row) for row in rows]
    for metric, heading in metrics.items():
        unit = ", %" if metric in percent else ""
        headings += [f"{heading}{unit}", "n"]
        if published and metric in published["values"]:
            headings += ["published", "difference"]
    body = []
    for key, group in groups.items():
        line = [_key(found, value) for value in key]
        for metric in metrics:
            line += _entries(group, metric, 100 if metric in percent else 1)
            if published and metric in published["values"]:
                printed = _published(found, published, dict(zip(rows, key, strict=True)), metric)
                line += _beside(group, metric, printed, 100 if metric in percent else 1)
        body.append(line)
    said = (
        "Mean ± standard deviation over n seeds."
        if any(len(group) > 1 for group in groups.values())
        else "One seed each."
    )
    return Exhibit(title, f"{said} {caption}".strip(), [Table(headings, body)])


def _key(found: Found, value: Any) -> Entry:
    shown = found.name(value)
    return Entry(shown, float(value) if isinstance(value, int | float) and shown != str(value).lower() else None)


def _entries(group: Sequence[Row], metric: str, factor: float) -> list[Entry]:
    mean, gone = described(group, metric), lost(group, metric)
    if not mean.n:
        return [Entry(gone or "-"), entry(0)]
    digits = 2 if factor == 100 else decimals(mean.mean, mean.deviation)
    if factor == 1 and mean.mean.is_integer() and not mean.deviation:  # a count, the same for every seed
        text = f"{mean.mean:,.0f}"
    else:
        text = f"{factor * mean.mean:,.{digits}f}"
        text += f" ± {factor * mean.deviation:,.{digits}f}" if mean.deviation is not None else ""
    return [Entry(text + (f" ({gone})" if gone else ""), factor * mean.mean), entry(mean.n)]


def decimals(mean: float, deviation: float | None) -> int:
    """Decimals for two digits of the deviation, or four digits of a mean that has none; four at most."""
    size, digits = (deviation, 2) if deviation else (abs(mean), 4)
    return min(max(digits - 1 - math.floor(math.log10(size)), 0), 4) if size else 4


def _published(found: Found, published: Mapping[str, Any], key: Mapping[str, Any], metric: str) -> float | None:
    for row in found.published(published["file"]):
        if all(_same(row[theirs], found.name(key[ours]), key[ours]) for ours, theirs in published["match"].items()):
            return float(row[published["values"][metric]]) * float(published.get("unit", 1))
    return None


def _same(printed: str, name: str, value: Any) -> bool:
    if printed in (name, str(value)):
        return True
    try:
        return float(printed) == float(value)
    except (TypeError, ValueError):
        return False


def _beside(group: Sequence[Row], metric: str, printed: float | None, factor: float) -> list[Entry]:
    mean = described(group, metric)
    digits = 2 if factor == 100 else 4
    if printed is None:
        return [entry(None), entry(None)]
    shown = Entry(f"{factor * printed:.{digits}f}", factor * printed)
    if not mean.n:
        return [shown, entry(None)]
    return [shown, Entry(f"{factor * (mean.mean - printed):+.{digits}f}", factor * (mean.mean - printed))]
