"""Generated pages: equal to what their scripts make now, with the numbers that are known beforehand."""

import json
from pathlib import Path
from types import ModuleType

import pytest

from docs import architectures, finders, gradient_check, lr_finder_against_grid, results, your_study
from docs.pages import page, table
from studies.against_grid import Comparison

ROOT = Path(__file__).parents[2]


SCRIPTS = [architectures, finders, gradient_check, lr_finder_against_grid, results, your_study]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.__name__)
def test_a_page_is_what_its_script_makes(script: ModuleType) -> None:
    path = Path(str(script.__file__))
    made = page(path, script.values())
    assert made == path.with_suffix(".md").read_text(), f"stale: run `python {path.relative_to(ROOT)}`"


def test_the_readmes_figures_are_those_of_the_results() -> None:
    made = results.figures()
    kept = {path.name: path.read_text() for path in results.FIGURES.glob("*.svg")}
    assert made == kept, "stale: run `python docs/results.py`"


def test_the_figure_of_suggested_rates_is_that_of_its_runs() -> None:
    for name, content in lr_finder_against_grid.figures().items():
        assert content == (ROOT / "docs" / name).read_text(), "stale: run `python docs/lr_finder_against_grid.py`"


def test_the_figure_of_finders_is_that_of_their_rows() -> None:
    for name, content in finders.figures().items():
        assert content == (ROOT / "docs" / name).read_text(), "stale: run `python docs/finders.py`"


def test_the_worst_loss_is_told_and_a_refusal_is_no_success() -> None:
    def group(reached: dict[int, float]) -> Comparison:
        best = dict.fromkeys((1, 2), 0.9)
        return Comparison({0.1: best}, dict.fromkeys(reached, 0.1), reached, 0.1, 2 - len(reached), 2)

    groups = {"SGD": group({1: 0.9, 2: 0.92}), "Adam": group({1: 0.6, 2: 0.7}), "Madam": group({})}
    said = lr_finder_against_grid.sentence(groups)
    assert said.startswith("For 1 of 3 optimizers") and "worst loss is 25.00 points, with Adam. 2 of 6 tests" in said


@pytest.mark.parametrize(
    "figure",
    [
        "`(11*11*3)*96 + 96 = 34,944`", "**60,965,224**", "60,954,656 are weights", "62,378,344 parameters",
        "143,652,544", "16,542,184", "143,667,240", "66.2 MB", "13 x 13 pixels",
        "32 x 32 x (128 + 192 + 96 + 256) = 32 x 32 x 672", "32 x 32 x (128 + 192 + 96 + 64) = 32 x 32 x 480",
        "`(32*32*192)*(3*3*256) = 452,984,832`", "**1,115,684,864**", "**354,418,688**", "= 3.148 times", "68.23 %",
        "854,196,224 and 271,351,808", "2,710 parameters", "238,510 parameters", "763,094 parameters",
    ],
)  # fmt: skip
def test_problem_3_has_its_answers(figure: str) -> None:
    assert figure in (ROOT / "docs/architectures.md").read_text()


def test_the_error_falls_with_n_until_round_off() -> None:
    found = json.loads(gradient_check.checked("json").read_text())
    errors = list(found["float64"]["largest_difference"].values())
    lowest = errors.index(min(errors))
    assert 0 < lowest < len(errors) - 1
    assert errors[: lowest + 1] == sorted(errors[: lowest + 1], reverse=True) and errors[-1] > errors[lowest]
    assert set(found["verdicts"]) == {"agrees"}


def test_a_table_sets_numbers_to_the_right() -> None:
    assert table(("name", "n"), [("a", "1"), ("b", "2")]) == "| name | n |\n| --- | ---: |\n| a | 1 |\n| b | 2 |"
