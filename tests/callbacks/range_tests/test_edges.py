"""An answer at the edge of what was tried says so, whatever kind it is: in its line, its record and its figure."""

import json
from collections.abc import Callable

import numpy as np
import pytest

from callbacks.range_tests.batch_size_outcome import BatchSizeOutcome
from callbacks.range_tests.batch_size_trainings import Point, Trained
from callbacks.range_tests.lr_outcome import LROutcome
from callbacks.range_tests.lr_race import Race
from callbacks.range_tests.lr_rules import CANDIDATE_RULES, RULES
from callbacks.range_tests.lr_sweeps import Sweep
from callbacks.range_tests.outcome import Outcome


def loss_at(lrs: np.ndarray, turns: float = 0.3) -> np.ndarray:
    """Falls by a sigmoid around 1e-2, and rises from `turns` on."""
    return 2.3 - 1.8 / (1 + (1e-2 / lrs) ** 2) + 2 * np.maximum(np.log10(lrs / turns), 0)


def sweeps(
    lower: float, upper: float, seeds: int = 2, stopped: str = "finished", race: Race | None = None, n: int = 120
) -> LROutcome:
    lrs = np.geomspace(lower, upper, n)
    noise = np.random.default_rng(0).normal(scale=0.01, size=(seeds, n))
    return LROutcome(lrs, [Sweep(loss_at(lrs) + of, stopped) for of in noise], RULES, 0.9, race=race)


def candidates(lower: float, upper: float, turns: float = 0.3) -> LROutcome:
    lrs = np.geomspace(lower, upper, 10)
    return LROutcome(lrs, [Sweep(loss_at(lrs, turns), "finished", np.full(10, 0.01))], CANDIDATE_RULES, 0.0)


def raced(best: int) -> LROutcome:
    """With the best at this of four places."""
    losses = [np.full(24, 1.0 + abs(place - best)) for place in range(4)]
    return sweeps(1e-6, 10, race=Race(np.geomspace(0.01, 0.08, 4), losses, 24))


def sizes(at_steps: list[float], at_samples: list[float]) -> BatchSizeOutcome:
    pairs = zip([8, 32, 128, 512], at_steps, at_samples, strict=True)
    row = [Trained(size, "finished", Point(40, one, 0.001), Point(9, other, 0.001), 2.3) for size, one, other in pairs]
    return BatchSizeOutcome(0.1, [[*row, Trained(4096, "out of memory", Point(40), Point(0))]], [])


LOWEST, FALLS, RISES = (
    "the loss falls from 0.01 on, the lowest rate tried: lower it",
    "still falls at",
    "has not risen by",
)
KINDS: dict[str, tuple[Callable[[], Outcome], list[str]]] = {
    "a sweep's answer within its rates": (lambda: sweeps(1e-6, 10), []),
    "a sweep that ends while the loss falls": (lambda: sweeps(1e-6, 1e-2), ["still falls at 0.01, the highest rate"]),
    "a sweep of one seed that does": (lambda: sweeps(1e-6, 1e-2, seeds=1), [FALLS]),
    "a sweep that begins while the loss falls": (lambda: sweeps(1e-2, 10), [LOWEST]),
    "a sweep within the fall": (lambda: sweeps(3e-3, 3e-2), ["lowest rate tried", FALLS]),
    "a dense sweep that broke down": (
        lambda: sweeps(1e-6, 2e-2, stopped="diverged", n=900),
        ["the last rate that the sweeps"],
    ),
    "candidates' answer within their rates": (lambda: candidates(1e-6, 10), []),
    "candidates that still fall": (lambda: candidates(1e-6, 1e-2), [FALLS]),
    "candidates that do not rise": (lambda: candidates(1e-6, 3.0, turns=2.5), [RISES]),
    "candidates that begin in the fall": (lambda: candidates(1e-2, 100), [LOWEST]),
    "a race's answer within its rates": (lambda: raced(2), []),
    "a race that the highest rate wins": (lambda: raced(3), ["the highest rate that was raced has won"]),
    "a race that the lowest rate wins": (lambda: raced(0), ["the lowest rate that was raced has won"]),
    "batch sizes within": (lambda: sizes([2, 1, 0.5, 0.5], [0.5, 0.5, 1, 2]), []),
    "the smallest size": (lambda: sizes([2, 1, 0.5, 0.5], [0.5, 1, 1, 2]), ["b_min is the smallest size that ran"]),
    "the largest size": (lambda: sizes([2, 1.5, 1, 0.5], [0.5, 0.5, 1, 2]), ["b_max is the largest size that ran"]),
    "both sizes": (lambda: sizes([2, 1.5, 1, 0.5], [0.5, 1, 1, 2]), ["b_min is the smallest", "b_max is the largest"]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_at_the_edge_says_so(kind: str) -> None:
    make, expected = KINDS[kind]
    outcome = make()
    assert outcome.refusal is None
    assert len(outcome.edges) == len(expected), outcome.edges
    told = json.loads(json.dumps(outcome.record(), allow_nan=False))["edges"]
    figure = outcome.figure("A title")
    drawn = "\n".join([figure.get_suptitle(), *(axes.get_title(loc="left") for axes in figure.axes)])
    for edge, clause, kept in zip(outcome.edges, expected, told, strict=True):
        assert clause in edge and edge == kept and edge in outcome.summary() and edge in drawn


@pytest.mark.parametrize(
    "refused", [LROutcome(np.geomspace(1e-6, 1, 60), [Sweep(np.full(60, 2.3), "finished")], RULES, 0.9),
                sizes([1, 1, 1, 1], [1, 1, 1, 1])]
)  # fmt: skip
def test_a_refusal_has_no_edge(refused: Outcome) -> None:
    assert refused.refusal is not None and refused.edges == () and refused.record()["edges"] == []


def test_every_property_of_an_outcome_that_answers_is_walked() -> None:
    """Who adds a kind of outcome or a bound to it adds its edges here."""
    assert {type(make()) for make, _ in KINDS.values()} == {LROutcome, BatchSizeOutcome}


def test_a_point_is_one_number_and_a_single_seed_has_no_spread() -> None:
    one, two = (sweeps(1e-6, 10, seeds=seeds) for seeds in (1, 2))
    for outcome in (one, two, candidates(1e-6, 10)):
        points = [row for row in outcome.table() if row["rule"] != "bounds"]
        assert points and all(row["to"] == "" for row in points)
        assert [row["to"] for row in outcome.table() if row["rule"] == "bounds"] != [""]
    assert all("decades between seeds" not in row for row in one.table())
    assert all("decades between seeds" in row for row in two.table())
    assert {rule["spread"] for rule in one.record()["rules"].values()} == {None}
    assert all(rule["spread"] >= 0 for rule in two.record()["rules"].values())
    texts = [text.get_text() for text in one.figure("A title").axes[1].texts]
    assert texts and not any("decades apart" in text for text in texts)
