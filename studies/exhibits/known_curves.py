"""What each rule of a range test suggests on curves whose steepest point is known, beside Lightning's own finder."""

import numpy as np

from studies.exhibits.exhibit import Exhibit, Found
from studies.known_curves import SHAPES, TARGET, Answers, answers, around, given, off
from studies.tabular import Entry, Table, entry

HEADINGS = (
    "curve", "rule", "no answer", "median", "5 %", "95 %", "median off, decades", "within half a decade, %",
    "around the steepest point",
)  # fmt: skip


def exhibit(found: Found, title: str, caption: str = "") -> Exhibit:
    """A row for each curve and rule, over as many seeds as the scale has.

    Args:
        found: what the study found.
        title: title of the table.
        caption: what is to be said of it.
    """
    seeds = found.study.scales[found.scale].seeds or 200
    rows = [
        [Entry(curve), Entry(rule), *(_bounds(told, seeds) if rule == "bounds" else _points(told, seeds))]
        for curve in SHAPES
        for rule, told in answers(curve, seeds).items()
    ]
    said = (
        f"The loss falls most at {TARGET:g}; {seeds} seeds. Of bounds: both medians, 5 % of lr_min and 95 % of lr_max."
    )
    return Exhibit(title, f"{said} {caption}".strip(), [Table(HEADINGS, rows)])


def _points(told: Answers, seeds: int) -> list[Entry]:
    points = given(told)[:, 0]
    nothing = entry(None)
    if not len(points):
        return [entry(seeds), *[nothing] * 6]
    fifth, middle, last = np.quantile(points, [0.05, 0.5, 0.95])
    gaps = off(told)
    near = 100 * float(np.sum(np.abs(gaps) <= 0.5)) / seeds
    median = float(np.median(gaps))
    return [
        entry(seeds - len(points)), *map(_rate, (middle, fifth, last)), Entry(f"{median:+.2f}", median),
        Entry(f"{near:.0f}", near), nothing,
    ]  # fmt: skip


def _bounds(told: Answers, seeds: int) -> list[Entry]:
    ends = given(told)
    nothing = entry(None)
    if not len(ends):
        return [entry(seeds), *[nothing] * 6]
    low, high = np.median(ends, axis=0)
    outer = (np.quantile(ends[:, 0], 0.05), np.quantile(ends[:, 1], 0.95))
    middle = Entry(f"{low:.1e} to {high:.1e}", float(low))
    return [
        entry(seeds - len(ends)),
        middle,
        *map(_rate, outer),
        nothing,
        nothing,
        Entry(f"{around(told)}", around(told)),
    ]


def _rate(value: float) -> Entry:
    return Entry(f"{value:.1e}", float(value))
