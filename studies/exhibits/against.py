"""A result against a number of the sweep, such as the learning rate, a curve for each group."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from figures.groups import Curve, draw
from studies.exhibits.exhibit import Exhibit, Found
from studies.table import by_seed, grouped, where


def exhibit(
    found: Found,
    title: str,
    metric: str,
    y: str,
    of: str,
    by: Sequence[str],
    caption: str = "",
    only: Mapping[str, Any] | None = None,
    published: Mapping[str, Any] | None = None,
    percent: bool = False,
    log_x: bool = True,
) -> Exhibit:
    """A figure.

    Args:
        found: what the study found.
        title: title of the figure.
        metric: column of the results.
        y: label of the vertical axis, with its unit.
        of: column of the horizontal axis.
        by: columns whose values tell the groups apart.
        caption: what is to be said of it.
        only: column values of the cells to show.
        published: `file`, `x`, `value`, `group` (its columns), `only` (column values of its rows) and `unit`.
        percent: whether the metric is a share that is shown in per cent.
        log_x: whether the horizontal axis is logarithmic.
    """
    factor = 100.0 if percent else 1.0
    groups = {}
    for key, rows in grouped(where(found.rows, only or {}), by).items():
        curve = _curve(rows, metric, of, factor)
        if curve is not None:
            groups[", ".join(map(found.name, key))] = replace(curve, key=key)
    printed = _published(found, published, factor) if published else None
    figure = draw(groups, found.name(of), y, published=printed, log_x=log_x, points=True)
    return Exhibit(title, f"Mean over the seeds, and their range as a band. {caption}".strip(), figure=figure)


def _curve(rows: Sequence[Mapping[str, Any]], metric: str, of: str, factor: float) -> Curve | None:
    """The metric at each value that has a result; seeds that all of these have."""
    settings = {value: by_seed(group, metric) for (value,), group in grouped(rows, [of]).items()}
    settings = {value: seeds for value, seeds in sorted(settings.items()) if seeds}
    if not settings:
        return None
    seeds = sorted(set.intersection(*(set(values) for values in settings.values())))
    if not seeds:
        return None
    values = np.array([[factor * settings[value][seed] for value in settings] for seed in seeds])
    return Curve(np.array(list(settings), dtype=float), values)


def _published(found: Found, published: Mapping[str, Any], factor: float) -> dict[str, Curve]:
    wanted = published.get("only", {})
    rows = [
        row for row in found.published(published["file"]) if all(row[name] == value for name, value in wanted.items())
    ]
    unit = factor * float(published.get("unit", 1))
    curves = {}
    for (name,), group in grouped(rows, [published["group"]]).items():
        points = sorted((float(row[published["x"]]), unit * float(row[published["value"]])) for row in group)
        curves[str(name)] = Curve(np.array([x for x, _ in points]), np.array([[y for _, y in points]]))
    return curves
