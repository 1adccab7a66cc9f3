"""Rows of a study: what counts as a result, and what is told of cells without one."""

from pathlib import Path
from typing import Any

import pytest

from records.first_passage import FirstPassage, Reading
from studies.exhibits import make
from studies.exhibits.exhibit import Found
from studies.exhibits.result_table import decimals
from studies.reading import read_study
from studies.study import shipped
from studies.table import TO_TARGET, by_seed, described, lost


def cell(seed: int, reached: float, status: str = "finished") -> dict[str, Any]:
    """A cell of 20 epochs, at whose end the target was reached or not."""
    counted = dict.fromkeys(TO_TARGET, 20.0)
    return {"status": status, "seed_everything": seed, "part": "sweep", "time_to_target/reached": reached} | counted


@pytest.mark.parametrize("metric", TO_TARGET)
def test_what_leads_to_a_target_counts_only_where_it_was_reached(metric: str) -> None:
    rows = [cell(1, 1.0), cell(2, 0.0), cell(3, 0.0, "diverged")]
    assert by_seed(rows, metric) == {1: 20.0} and described(rows, metric).n == 1
    assert lost(rows, metric) == "1 of 3 not reached, 1 of 3 diverged"
    assert lost(rows) == lost(rows, "test/accuracy") == "1 of 3 diverged"
    assert by_seed(rows, "time_to_target/reached") == {1: 1.0, 2: 0.0}


@pytest.mark.parametrize(
    ("rows", "shown"),
    [
        ([cell(1, 0.0)], ["1 of 1 not reached", "0"]),
        ([cell(1, 1.0), cell(2, 0.0)], ["20 (1 of 2 not reached)", "1"]),
        ([cell(1, 1.0), cell(2, 1.0)], ["20", "2"]),
    ],
)
def test_a_table_says_that_a_target_was_not_reached(rows: list[dict[str, Any]], shown: list[str]) -> None:
    found = Found(read_study(shipped()["batch_augmentation"]), "laptop", rows, {}, {}, Path())
    wanted = {"kind": "table", "title": "T", "rows": ["part"], "metrics": {"time_to_target/epochs": "epochs to 94 %"}}
    assert [entry.text for entry in make(found, wanted).tables[0].rows[0][1:]] == shown


def test_the_names_are_those_that_the_callback_counts() -> None:
    assert {name.rpartition("/")[2] for name in TO_TARGET} < set(Reading._fields)
    assert "reached" in FirstPassage(0.9).result()


@pytest.mark.parametrize(
    ("mean", "deviation", "shown"),
    [(3.33333, 0.57735, 2), (15.47, 2.75, 1), (546.0, 120.0, 0), (0.2878, 0.00087, 4), (2.3016, 1.5e-6, 4),
     (20.4431, None, 2), (1066.4, None, 0), (0.1438, None, 4), (0.0, None, 4), (-5.5, 0.0, 3)],
)  # fmt: skip
def test_a_number_has_as_many_decimals_as_its_spread_warrants(mean: float, deviation: float | None, shown: int) -> None:
    assert decimals(mean, deviation) == shown
