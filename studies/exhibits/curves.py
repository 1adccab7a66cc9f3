"""A metric along epochs, steps, samples or seconds, a curve for each group of cells."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from figures.groups import Curve, draw
from studies.exhibits.exhibit import Exhibit, Found
from studies.table import finished, grouped, where

AXES = {"epoch": "epoch", "step": "step", "samples": "samples seen", "seconds": "seconds of training"}
BANDS = {"range": "their range", "deviation": "a standard deviation to both sides"}


def exhibit(
    found: Found,
    title: str,
    metric: str,
    y: str,
    by: Sequence[str],
    against: str = "epoch",
    caption: str = "",
    only: Mapping[str, Any] | None = None,
    published: Mapping[str, Any] | None = None,
    log_y: bool = False,
    until: float | None = None,
    band: str = "range",
) -> Exhibit:
    """A figure.

    Args:
        found: what the study found.
        title: title of the figure.
        metric: column of metrics.csv.
        y: label of the vertical axis, with its unit.
        by: columns whose values tell the groups apart.
        against: what the horizontal axis counts: `epoch`, `step`, `samples` or `seconds`.
        caption: what is to be said of it.
        only: column values of the cells to show.
        published: `file`, `x` (its column of the horizontal axis) and `columns` (its column for a group's name).
        log_y: whether the vertical axis is logarithmic.
        until: end of the horizontal axis.
        band: `range` of the seeds, or `deviation`: a standard deviation to both sides of the mean.
    """
    if against not in AXES:
        raise ValueError(f"exhibits: curves: against must be one of {', '.join(AXES)}, got {against}")
    if band not in BANDS:
        raise ValueError(f"exhibits: curves: band must be one of {', '.join(BANDS)}, got {band}")
    groups: dict[str, Curve] = {}
    missing = []
    for key, rows in grouped(finished(where(found.rows, only or {})), by).items():
        curve = along([found.curves.get(str(row["id"]), []) for row in rows], metric, against, until)
        name = ", ".join(map(found.name, key))
        if curve is None:
            missing.append(name)
        else:
            groups[name] = replace(curve, key=key)
    printed = None
    if published:
        table = found.published(published["file"])
        x = np.array([float(row[published["x"]]) for row in table])
        printed = {
            name: Curve(x - _middle(metric, against), np.array([[float(row[column]) for row in table]]))
            for name, column in published["columns"].items()
        }
    few = all(len(curve.x) <= 25 for curve in groups.values())
    figure = draw(groups, AXES[against], y, published=printed, log_y=log_y, points=few, band=band)
    seeds = sorted({len(curve.values) for curve in groups.values()})
    over = f"of {seeds[0]} seeds" if len(seeds) == 1 else "over the seeds"
    said = f"Mean {over}, and {BANDS[band]} as a band." if seeds and seeds[-1] > 1 else "One seed each."
    said += f" Without a curve, as it has no places in common: {'; '.join(missing)}." if missing else ""
    return Exhibit(title, f"{said} {caption}".strip(), figure=figure)


def along(
    cells: Sequence[Sequence[Mapping[str, float]]], metric: str, against: str, until: float | None = None
) -> Curve | None:
    """The metric of several seeds, along epochs at those that all of them have; None where there is none.

    Along steps, samples and seconds seeds may differ in their places. Then these are those of the seed that has the
    fewest, and the others' values are interpolated.
    An epoch's mean of training stands at the middle of its epoch: drawn at its end, it would look late.
    """
    if against != "epoch":
        return _interpolated(cells, metric, against, until)
    seen = [{row[against]: row[metric] for row in rows if metric in row} for rows in cells]
    places = sorted(set.intersection(*(set(one) for one in seen))) if seen else []
    places = [place for place in places if until is None or place <= until]
    if not places:
        return None
    values = np.array([[one[place] for place in places] for one in seen])
    return Curve(np.array(places) - _middle(metric, against), values)


def _middle(metric: str, against: str) -> float:
    return 0.5 if metric.startswith("train/epoch_") and against == "epoch" else 0.0


def _interpolated(
    cells: Sequence[Sequence[Mapping[str, float]]], metric: str, against: str, until: float | None
) -> Curve | None:
    seen = [[(row[against], row[metric]) for row in rows if metric in row] for rows in cells]
    if not seen or not all(seen):
        return None
    begin = max(one[0][0] for one in seen)
    end = min([one[-1][0] for one in seen] + ([until] if until is not None else []))
    places = np.array([place for place, _ in min(seen, key=len) if begin <= place <= end])
    if not len(places):
        return None
    return Curve(places, np.array([np.interp(places, *np.array(one).T) for one in seen]))
