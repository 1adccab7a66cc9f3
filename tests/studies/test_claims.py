"""Claims over small tables made by hand: each check holds, fails, and says by which numbers."""

from typing import Any

import pytest

from studies.claims import CHECKS, COUNTS, NOT_REPRODUCED, NOT_TESTED, REPRODUCED, Claim, judge
from studies.known_curves import RAW
from studies.states import TO_COME

ACCURACY = "test_accuracy"
NOT = NOT_REPRODUCED


def cells(metric: str = ACCURACY, **of: list[float]) -> list[dict[str, Any]]:
    """Rows of settings named a, b, ... with a value a seed."""
    return [
        {"arm": arm, "seed_everything": seed, "status": "finished", metric: value}
        for arm, values in of.items()
        for seed, value in enumerate(values, start=1)
    ]


def claim(check: str, each: tuple[str, ...] = (), scale: str = "full", **options: Any) -> Claim:
    return Claim("a is so", "a report, table 1", check, {"metric": ACCURACY, **options}, each=each, scale=scale)


APART = cells(a=[0.90, 0.92, 0.91], b=[0.80, 0.82, 0.82], c=[0.10, 0.10, 0.10])
# A grid of rates with a best in its middle, and a run that found its own: near it for a, short of it for b, none for c.
GRID = [
    {"arm": arm, "part": "grid", "rate": rate, "seed_everything": seed, "status": "finished", ACCURACY: top - drop}
    for arm in "abc"
    for rate, drop in ((0.1, 0.3), (1.0, 0.0), (10.0, 0.2))
    for seed, top in ((1, 0.9), (2, 0.92))
]
OWN = [
    {"arm": arm, "part": "own", "seed_everything": seed, "status": status, ACCURACY: reached, "lr": rate}
    for arm, seed, status, reached, rate in (
        ("a", 1, "finished", 0.89, 0.7), ("a", 2, "finished", 0.92, 0.8), ("b", 1, "finished", 0.85, 0.2),
        ("b", 2, "refused", None, None), ("c", 1, "refused", None, None), ("c", 2, "refused", None, None),
    )
]  # fmt: skip
NEAR = {"by": "arm", "of": "rate", "found": {"part": "own"}, "within": 0.01}
POINT = {"seeds": 3, "within": 0.5, "curves": ["usual", "10 rates"]}
FALLS: list[dict[str, Any]] = [{"seed_everything": 1, "status": "finished", "N=1": 0.5, "N=50": 0.1, "N=900": 0.1}]
ALEXNET = {"model": "AlexNet", "options": {"num_classes": 1000}, "of": "parameters"}
SAME = cells(a=[0.90, 0.92, 0.91, 0.92], b=[0.901, 0.922, 0.912, 0.917], c=[0.85, 0.88, 0.87, 0.88])
MIXED = cells(a=[0.90, 0.92, 0.91], b=[0.95, 0.82, 0.92])


@pytest.mark.parametrize(
    ("rows", "made", "state", "numbers"),
    [
        (APART, claim("best", of="arm", value="a"), REPRODUCED, "highest at a; a: 0.91 (sd 0.01, n = 3), b: 0.8133"),
        (APART, claim("best", of="arm", value="b"), NOT, "highest at a; b: 0.8133"),
        (APART, claim("best", of="arm", value="c", goal="lowest"), REPRODUCED, "lowest at c"),
        (APART, claim("best", of="arm", value="d"), NOT, "arm = d has not run"),
        (MIXED, claim("best", of="arm", value="a"), NOT, "within the spread between seeds"),
        (MIXED[:4:3], claim("best", of="arm", value="b"), REPRODUCED, "n = 1: the spread is not known"),
        (APART, claim("order", of="arm", values=["c", "b", "a"]), REPRODUCED, "c: 0.1 (sd 0, n = 3), b: "),
        (APART, claim("order", of="arm", values=["c", "a", "b"]), NOT, "difference -0.09667"),
        (SAME, claim("alike", of="arm", values=["a", "b"], within=0.01), REPRODUCED, "n = 4, p = 0.7, allowed 0.01"),
        (SAME, claim("alike", of="arm", values=["a", "b"], within=0.0004), NOT, "difference -0.0005 ["),
        (SAME, claim("alike", of="arm", values=["a", "c"], within=0.1), NOT, "p = 0.00044, allowed 0.1"),
        (SAME[:2], claim("alike", of="arm", values=["a", "b"], within=1), NOT, "0 seeds ran in both"),
        (APART[:3], claim("near", value=0.9, within=0.02), REPRODUCED, "published 0.9, difference +0.01, allowed 0.02"),
        (APART[:3], claim("near", value=0.8, within=0.02), NOT, "difference +0.11"),
        (APART[6:], claim("near", value=0.1, within=0.02), REPRODUCED, "difference +0, allowed"),
        (APART[:3], claim("at_least", value=0.9), REPRODUCED, "asked for 0.9"),
        (APART[:3], claim("at_least", value=0.95), NOT, "0.91 (sd 0.01, n = 3)"),
        (APART, claim("passing", of=["arm"], value=0.5, cells=[["a"], ["b"]]), REPRODUCED, "2 settings reach 0.5"),
        (APART, claim("passing", of=["arm"], value=0.5, cells=[["a"], ["c"]]), NOT, "besides: (b); missing: (c)"),
        (APART, claim("ratio", a={"arm": "a"}, b={"arm": "c"}, least=9), REPRODUCED, "9.1 (0.91 over 0.1, n = 3"),
        (APART, claim("ratio", a={"arm": "a"}, b={"arm": "c"}, most=9), NOT, "9.1"),
        (APART, claim("beats", a={"arm": "a"}, b={"arm": "c"}), REPRODUCED, "0.1 (sd 0, n = 3); difference +0.81"),
        (APART, claim("beats", a={"arm": "c"}, b={"arm": "a"}), NOT, "difference -0.81"),
        (MIXED, claim("beats", a={"arm": "a"}, b={"arm": "b"}), NOT, "within the spread between seeds"),
        (APART, claim("beats", a={"arm": "a"}, b={"arm": "d"}), NOT, "a setting has not run"),
        (FALLS, Claim("", "", "falling", {"metrics": ["N=1", "N=50"]}), REPRODUCED, "N=1 0.5, N=50 0.1"),
        (FALLS, Claim("", "", "falling", {"metrics": ["N=1", "N=50", "N=900"]}), NOT, "N=50 0.1, N=900 0.1"),
        ([*GRID, *OWN], claim("near_best", **NEAR), NOT, "1 of 3 within 0.01 of the best of the grid; diff"),
        ([*GRID, *OWN], claim("near_best", **NEAR, least=1), REPRODUCED, "differences: a -0.0050, b -0.0500, c none"),
        (OWN, Claim("", "", "refusals", {"most": 2}), NOT, "3 of 6 refused, allowed 2"),
        (OWN, Claim("", "", "refusals", {"most": 3}), REPRODUCED, "3 of 6 refused, allowed 3"),
        ([], Claim("", "", "counted", ALEXNET | {"value": 60_965_224}), REPRODUCED, "60,965,224 parameters; published"),
        ([], Claim("", "", "counted", ALEXNET | {"value": 60_000_000}), NOT, "published 60,000,000"),
        ([], Claim("", "", "counted", ALEXNET | {"value": 60_000_000, "within": 0.02}), REPRODUCED, "+1.61 %, allowed"),
        ([], Claim("", "", "field", {"filters": 3, "size": 5, "value": 13}), REPRODUCED, "13 x 13 pixels; published"),
        ([], Claim("", "", "field", {"filters": 2, "size": 3, "value": 6}), NOT, "5 x 5 pixels; published 6"),
        ([], Claim("", "", "known_point", POINT | {"rule": "steepest"}), REPRODUCED, "usual +0."),
        ([], Claim("", "", "known_point", POINT | {"rule": RAW}), NOT, "10 rates no answer"),
        ([], Claim("", "", "known_bounds", {"seeds": 3, "curves": ["usual"]}), REPRODUCED, "3 seeds each: usual 3"),
    ],
)  # fmt: skip
def test_a_claim_is_judged_by_its_numbers(rows: list[dict[str, Any]], made: Claim, state: str, numbers: str) -> None:
    verdict = judge(made, rows, "full")
    assert verdict.state == state and numbers in verdict.numbers[0]


def test_every_check_is_tried_above() -> None:
    (mark,) = test_a_claim_is_judged_by_its_numbers.pytestmark  # type: ignore[attr-defined]
    assert {made.check for _, made, _, _ in mark.args[1]} == {*CHECKS, *COUNTS}


def test_what_cannot_be_counted_is_told() -> None:
    with pytest.raises(ValueError, match="curves: flat is none of usual, narrow fall"):
        judge(Claim("", "", "known_bounds", {"curves": ["flat"]}), [], "full")
    with pytest.raises(ValueError, match="rule: deepest is none of valley, steepest"):
        judge(Claim("", "", "known_point", POINT | {"rule": "deepest"}), [], "full")
    with pytest.raises(ValueError, match="of: neurons is none of weights, biases, parameters"):
        judge(Claim("", "", "counted", ALEXNET | {"of": "neurons", "value": 1}), [], "full")
    with pytest.raises(ValueError, match="field has no option sizes: known are filters, size, value"):
        judge(Claim("so", "", "field", {"filters": 3, "sizes": 5, "value": 13}), [], "full")


def test_it_must_hold_in_each_group() -> None:
    rows = [{**row, "data": data} for data in ("x", "y") for row in APART]
    rows[0] = {**rows[0], "test_accuracy": 0.1}
    verdict = judge(claim("best", each=("data",), of="arm", value="a"), rows, "full")
    assert verdict.state == NOT_REPRODUCED and [line[:2] for line in verdict.numbers] == ["x:", "y:"]


def test_a_smaller_scale_tests_nothing() -> None:
    assert judge(claim("at_least", value=0.0), APART[:3], "laptop").state == NOT_TESTED
    assert judge(claim("at_least", scale="laptop", value=0.0), APART[:3], "laptop").state == REPRODUCED
    assert judge(Claim("", "", "known_bounds", {}, scale="laptop"), [], "smoke").state == NOT_TESTED


@pytest.mark.parametrize("status", TO_COME)
def test_cells_that_have_not_run_leave_it_open(status: str) -> None:
    rows = [*APART[:2], {**APART[2], "status": status}]
    verdict = judge(claim("at_least", value=0.0), rows, "full")
    assert verdict.state == NOT_TESTED and verdict.numbers == ["1 of its cells have not run"]


def test_a_diverged_cell_is_told_and_counts_as_worst() -> None:
    gone = [{**row, "status": "diverged", ACCURACY: None} for row in cells(b=[0.0, 0.0, 0.0])]
    verdict = judge(claim("best", of="arm", value="a"), [*APART[:3], *gone], "full")
    assert verdict.state == REPRODUCED and "b: 3 of 3 diverged" in verdict.numbers[0]
    partly = [*APART[:2], {**APART[2], "status": "diverged", ACCURACY: None}]
    assert "1 of 3 diverged" in judge(claim("at_least", value=0.9), partly, "full").numbers[0]


def test_a_best_at_the_edge_of_the_grid_is_flagged() -> None:
    rows = [{**row, "arm": {"a": 1.0, "b": 0.1, "c": 0.01}[row["arm"]]} for row in APART]
    assert (
        "highest at 1 (at the edge of the grid)" in judge(claim("best", of="arm", value=1.0), rows, "full").numbers[0]
    )


def test_a_group_of_several_settings_is_refused() -> None:
    with pytest.raises(ValueError, match="two cells of a group have seed 1"):
        judge(claim("at_least", value=0.0), APART, "full")


@pytest.mark.parametrize("made", [claim("guess"), claim("at_least", valu=1)])
def test_a_claim_that_cannot_be_checked_is_named(made: Claim) -> None:
    with pytest.raises(ValueError, match="claim 'a is so'"):
        judge(made, APART[:3], "full")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"metric": "test_acuracy"}, "metric: no cell has test_acuracy: nearest: test_accuracy"),
        ({"of": "arn"}, "of: no cell has arn: nearest: arm"),
        ({"each": ("datum",)}, "each: no cell has datum"),
    ],
)
def test_a_misspelt_column_is_no_verdict(options: dict[str, Any], why: str) -> None:
    """Nothing is found by it, which must not read as if the runs had said no."""
    verdict = judge(claim("best", **{"of": "arm", "value": "a", **options}), APART, "full")
    assert verdict.state == NOT_TESTED and why in verdict.numbers[0]
