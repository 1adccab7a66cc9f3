"""The scores of finders, on rows whose losses are known."""

import math

import pytest

from docs import finders, finders_scores

RATES = [1e-4 * 10 ** (half / 2) for half in range(11)]
PEAK = {"1": 6, "2": 5}  # place of each seed's best rate; the mean is best at 5


def row(finder: str, seed: str, rate: float | str, accuracy: float | str) -> dict[str, str]:
    return {
        "problem": "p", "finder": finder, "seed": seed, "rate": str(rate), "accuracy": str(accuracy), "steps": "100",
        "seconds": "2",
    }  # fmt: skip


def accuracy(seed: str, place: int) -> float:
    return 0.9 - 0.05 * abs(place - PEAK[seed]) - (0.01 if seed == "1" and place != 5 else 0)


GRID = [row("grid", seed, rate, accuracy(seed, place)) for seed in PEAK for place, rate in enumerate(RATES)]


def problem(*rows: dict[str, str]) -> finders_scores.Problem:
    (found,) = finders_scores.grouped([*GRID, *rows])
    return found


def test_the_best_of_the_grid_is_that_of_the_mean_and_losses_are_paired_by_seed() -> None:
    one = problem(row("raced", "1", 0.1, 0.80), row("raced", "2", 0.01, 0.95), row("fastai, valley", "1", "", ""))
    assert one.best == pytest.approx(RATES[5])
    assert one.losses("raced") == pytest.approx({"1": 100 * (0.85 - 0.80), "2": -5})
    assert one.losses("fastai, valley") == {}
    assert one.decades("raced") == pytest.approx([math.log10(0.1) - one.middle, math.log10(0.01) - one.middle])


def test_a_grid_of_one_seed_is_judged_by_the_others() -> None:
    assert problem().of_one_seed() == pytest.approx({"1": 5.0, "2": 0.0})


def test_a_grid_with_a_rate_missing_is_none() -> None:
    assert finders_scores.grouped(GRID[:-1]) == []


def test_answers_apart_are_of_the_means_and_of_the_worst_seed() -> None:
    sweeps = [f"suggested, {steps} steps from {first}" for first in ("1e-07", "1e-05") for steps in (100, 600)]
    kinds = ["suggested", *sweeps, "suggested, 200 steps from 1e-05"]
    rates = {(kinds[1], "1"): 0.1}
    rows = [row(kind, seed, rates.get((kind, seed), 0.01), 0.9) for kind in kinds for seed in PEAK]
    answers = finders_scores.answers_of(problem(*rows), "suggested")
    assert next(iter(answers)) == "suggested" and finders_scores.answers_apart(answers) == pytest.approx((0.5, 1.0))
    assert finders_scores.answers_of(problem(*rows[:-2]), "suggested") == {}


def test_the_row_of_a_finder_has_loss_worst_problem_and_cost() -> None:
    cells = finders.finders([problem(row("raced", "1", 0.1, 0.80), row("raced", "2", 0.01, 0.95))]).splitlines()[2]
    assert "| 0.00 | 5.00, -5.00 | 0.00, p | 1 of 1 |" in cells and cells.endswith("| 100 | 2.0 |")


def test_what_is_chosen_on_a_half_is_judged_by_the_other() -> None:
    """Each finder is best on one problem: choosing there, the other's loss is had."""
    grids = [dict(one, problem=name) for name in "pq" for one in GRID]
    reached = {"p": (0.85, 0.75), "q": (0.70, 0.85)}
    rows = [
        dict(row(finder, "1", 0.1, accuracy), problem=name)
        for name, both in reached.items()
        for finder, accuracy in zip(("raced", "raced, held out"), both, strict=True)
    ]
    found = finders_scores.grouped([*grids, *rows])
    assert finders_scores.chosen_on_half(found, ("raced", "raced, held out")) == pytest.approx((15 + 10) / 2)


def test_refusals_are_told_and_cost() -> None:
    rows = [row("raced", "1", 0.1, 0.80), row("raced", "2", "", "")]
    cells = finders.finders([problem(*rows)]).splitlines()[2]
    assert "| 5.00 (1 refused) |" in cells and cells.endswith("| 100 | 2.0 |")
