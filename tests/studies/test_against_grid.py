"""Found rates against a grid: the best is chosen once for all seeds, differences are paired, refusals are counted."""

from typing import Any

import pytest

from studies.against_grid import compare
from studies.exhibits import make
from studies.exhibits.exhibit import Found
from studies.study import Scale, Study

METRIC, OWN = "val/accuracy", {"part": "own"}
RATES = (0.001, 0.01, 0.1)


def cells(reached: tuple[float | None, ...] = (0.9, 0.9, 0.9), best: int = 1) -> list[dict[str, Any]]:
    """A grid that peaks at one place with .90, .91, .92 for the three seeds; its own rates reach as given."""
    rows: list[dict[str, Any]] = [
        {"part": "grid", "rate": rate, "seed_everything": seed, "status": "finished", METRIC: 0.89 + seed / 100 - gap}
        for place, rate in enumerate(RATES) for gap in [abs(place - best) / 10] for seed in (1, 2, 3)
    ]  # fmt: skip
    for seed, accuracy in enumerate(reached, start=1):
        row: dict[str, Any] = {"part": "own", "seed_everything": seed}
        told = {"status": "finished", METRIC: accuracy, "lr": seed / 100}
        rows.append(row | ({"status": "refused"} if accuracy is None else told))
    return rows


def shown(**groups: list[dict[str, Any]]) -> Any:
    """The exhibit of optimizers named a, b, ..."""
    rows = [{**row, "optimizer": name} for name, part in groups.items() for row in part]
    study = Study("x", None, "x", "x", {}, {"full": Scale()}, names={"optimizer": "optimizer"})  # type: ignore[arg-type]
    wanted = {"kind": "against_grid", "title": "x", "metric": METRIC, "y": "%", "of": "rate", "by": "optimizer"}
    return make(Found(study, "full", rows, {}, {}, None), wanted | {"rates": OWN})  # type: ignore[arg-type]


def line(exhibit: Any, place: int = 0) -> list[str]:
    return [one.text for one in exhibit.tables[0].rows[place]]


def test_the_difference_is_paired_by_seed() -> None:
    assert line(shown(a=cells())) == ["a", "0.01 to 0.03", "90.00 ± 0.00", "0.01", "91.00 ± 1.00", "-1.00", "0"]
    assert compare(cells((0.93, 0.94, 0.95)), METRIC, "rate", OWN).difference.mean == pytest.approx(0.03)


def test_a_lucky_seed_does_not_choose_the_rate() -> None:
    """The grid's rate is chosen once, by the mean over seeds; not for each seed its own."""
    rows = cells()
    rows[6][METRIC] = 0.99
    assert compare(rows, METRIC, "rate", OWN).best == 0.01
    rows[7][METRIC] = rows[8][METRIC] = 0.99
    at_the_end = compare(rows, METRIC, "rate", OWN)
    assert at_the_end.best == 0.1 and at_the_end.at_edge and line(shown(a=rows))[3] == "0.1 *"


def test_a_rate_at_which_a_cell_diverged_is_not_the_best() -> None:
    rows = cells()
    rows[3] = {**rows[3], "status": "diverged", METRIC: None}
    assert compare(rows, METRIC, "rate", OWN).best == 0.001


def test_a_refusal_is_counted_and_takes_no_part() -> None:
    exhibit = shown(a=cells((0.9, 0.9, None)), b=cells((None, None, None)))
    # seeds 1 and 2: 90 against 90 and 91
    assert line(exhibit) == ["a", "0.01 to 0.02", "90.00 ± 0.00 (n = 2)", "0.01", "91.00 ± 1.00", "-0.50", "1"]
    assert line(exhibit, 1) == ["b", "none", "-", "0.01", "91.00 ± 1.00", "-", "3"]
    assert [axes.get_title(loc="left") for axes in exhibit.figure.axes] == ["a (1 of 3 refused)", "b (3 of 3 refused)"]


def test_nothing_that_has_run_is_no_error() -> None:
    rows = [
        {"part": row["part"], "rate": row.get("rate"), "seed_everything": 1, "status": "missing"} for row in cells()
    ]
    assert line(shown(a=rows[::3])) == ["a", "none", "-", "-", "-", "-", "0"]
