"""The outcomes of both range tests have one shape, and the base class publishes whatever has it."""

import csv
import inspect
import json
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure

from callbacks import BatchSizeRangeTest, LRRangeTest
from callbacks.range_tests.batch_size_outcome import BatchSizeOutcome
from callbacks.range_tests.batch_size_trainings import Point, Trained
from callbacks.range_tests.lr_outcome import LROutcome
from callbacks.range_tests.lr_rules import CANDIDATE_RULES, RULES
from callbacks.range_tests.lr_sweeps import Sweep
from callbacks.range_tests.noise_scale import NoiseReadings
from callbacks.range_tests.outcome import Outcome
from callbacks.range_tests.range_test import RangeTest
from lightning_modules import MLP
from tests.callbacks.on_the_side import on_the_side
from tests.callbacks.subjects import begun


def rates(fall: float, **more: object) -> LROutcome:
    lrs = np.geomspace(1e-6, 1.0, 120)
    losses = 2.3 - fall / (1 + (1e-2 / lrs) ** 4)
    noise = np.random.default_rng(0).normal(scale=0.01, size=(2, 120))
    return LROutcome(lrs, [Sweep(losses + of, "finished", **more) for of in noise], RULES, 0.9)


def candidates() -> LROutcome:
    lrs = np.geomspace(1e-6, 1.0, 8)
    losses = np.array([2.3, 2.3, 2.2, 1.5, 0.5, 0.4, 0.6, np.inf])
    return LROutcome(lrs, [Sweep(losses, "non-finite", np.full(8, 0.01))], CANDIDATE_RULES, 0.0)


def sizes(worst: float) -> BatchSizeOutcome:
    fall = {8: (worst, 0.4), 32: (0.5, 0.5), 128: (0.4, worst)}
    row = [
        Trained(size, "finished", Point(40, at_steps, 0.01, 1.0), Point(40 * 8 // size, at_samples, 0.01, 1.0), 2.3)
        for size, (at_steps, at_samples) in fall.items()
    ]
    readings = NoiseReadings(np.array([0, 20]), np.array([1.0, 2.0]), np.array([30.0, 80.0]))
    return BatchSizeOutcome(0.1, [[*row, Trained(4096, "out of memory", Point(40), Point(0))]], [readings])


OUTCOMES = {
    "rates": lambda: rates(1.8), "flat rates": lambda: rates(0.0), "candidates": candidates,
    "sizes": lambda: sizes(2.0), "flat sizes": lambda: sizes(0.401),
    "no losses": lambda: LROutcome(np.geomspace(1, 2, 5), [Sweep(np.zeros(0), "non-finite")], RULES, 0.9),
}  # fmt: skip
SHAPE = [name for name in vars(Outcome) if not name.startswith("_")]
every_outcome = pytest.mark.parametrize("name", OUTCOMES)


@every_outcome
def test_an_outcome_has_the_shape(name: str) -> None:
    outcome: Outcome = OUTCOMES[name]()
    for part in SHAPE:
        asked, its = vars(Outcome)[part], getattr(type(outcome), part)
        assert isinstance(asked, property) == isinstance(its, property), part
        if not isinstance(asked, property):
            assert list(inspect.signature(its).parameters) == list(inspect.signature(asked).parameters), part
    assert (outcome.bounds is None) == (outcome.refusal is not None)


@every_outcome
def test_an_outcome_can_be_kept_printed_and_drawn(name: str) -> None:
    outcome = OUTCOMES[name]()
    rows, table, record = outcome.rows(), outcome.table(), outcome.record()
    assert len({tuple(row) for row in rows}) == (0 if name == "no losses" else 1)
    assert len({tuple(row) for row in table}) == 1
    assert all(isinstance(value, str | float) for row in table for value in row.values())
    read = json.loads(json.dumps(record, allow_nan=False))
    assert read["refusal"] == outcome.refusal and (read["bounds"] is None) == (outcome.bounds is None)
    figure = outcome.figure("A title")
    assert figure is None if name == "no losses" else isinstance(figure, Figure)
    assert figure is None or "A title" in figure.get_suptitle()
    said = outcome.summary()
    assert "\n" not in said and said.startswith("no suggestion, ") == (outcome.bounds is None)
    assert outcome.refusal is None or outcome.refusal in said


def test_what_the_learning_rates_record_says() -> None:
    outcome = candidates()
    found = outcome.consensus
    assert list(outcome.record()) == [
        "loss",
        "looks",
        "lr",
        "median",
        "bounds",
        "rules",
        "seeds",
        "refusal",
        "edges",
        "stopped",
    ]
    assert set(outcome.record()["rules"]["lowest"]) == {"low", "high", "spread", "seeds"}
    assert outcome.record()["rules"]["lowest"]["low"] == found.lr == outcome.lr
    assert [row["error"] for row in outcome.rows()] == [0.01] * 8
    assert rates(0.0).record()["rules"]["valley"] is None
    assert math.isinf(outcome.rows()[-1]["loss"]) and outcome.rows()[-1]["smoothed"] == math.inf


class Coin(RangeTest):
    """A stranger's range test, which measures nothing."""

    NAME, TITLE, SETTINGS = "coin_test", "Coin test", ("at_step", "sides")
    FOUND = (*RangeTest.FOUND, "side")
    at_step, sides, side = 0, 2, None

    def __init__(self, refusal: str | None = None) -> None:
        self._refusal = refusal

    def measure(self, trainer: object) -> Outcome:
        bounds = (0, 1) if self._refusal is None else None
        return SimpleNamespace(
            bounds=bounds, refusal=self._refusal, side=1, rows=lambda: [{"side": 1}], table=lambda: [],
            record=lambda: {"bounds": bounds}, figure=lambda title: Figure(), summary=lambda: "a side",
        )  # fmt: skip

    def brief_bounds(self) -> tuple[int, int]:
        return 5, 6


def test_a_test_of_one_s_own_is_published_and_kept(tmp_path: Path, capsys) -> None:
    test = Coin()
    run = begun(test, tmp_path / "run")
    run.trainer.fit(run.model, run.data)
    assert (test.bounds, test.refusal, test.side, test.done) == ((0, 1), None, 1, True)
    assert capsys.readouterr().err.splitlines()[-1] == "Coin test: a side"
    left = json.loads((tmp_path / "run" / "coin_test.json").read_text())
    assert list(left) == ["bounds", "optimizer", "settings", "device", "versions"]
    assert left["settings"] == {"at_step": 0, "sides": 2} and left["optimizer"] == "SGD"
    with (tmp_path / "run" / "coin_test.csv").open() as file:
        assert list(csv.DictReader(file)) == [{"side": "1"}]
    assert (tmp_path / "run" / "coin_test.png").is_file()
    again = Coin()
    again.load_state_dict(json.loads(json.dumps(test.state_dict())))
    assert (again.bounds, again.refusal, again.side) == ((0, 1), None, 1)


def test_a_refusal_is_kept_and_a_brief_run_has_bounds_of_its_own(capsys) -> None:
    refused, brief = Coin("the edge"), Coin("the edge")
    on_the_side(MLP(1, 8, 10), refused.run)
    assert (refused.bounds, refused.refusal) == (None, "the edge")
    on_the_side(MLP(1, 8, 10), brief.run, fast_dev_run=True)
    assert (brief.bounds, brief.refusal) == ((5, 6), None)
    assert capsys.readouterr().err.splitlines()[-1] == "Coin test: no suggestion from a fast_dev_run"


def test_checkpoints_of_earlier_versions_can_be_read() -> None:
    rate, size = LRRangeTest(), BatchSizeRangeTest(lr=0.3)
    rate.load_state_dict({"bounds": [1e-3, 1e-1], "refusal": None, "lr": 1e-2})
    assert (rate.bounds, rate.refusal, rate.lr, rate.done) == ((1e-3, 1e-1), None, 1e-2, True)
    size.load_state_dict({"bounds": None, "refusal": "flat"})
    assert (size.bounds, size.refusal, size.lr, size.done) == (None, "flat", 0.3, True)
    assert list(rate.state_dict()) == ["bounds", "refusal", "lr"]
    assert list(size.state_dict()) == ["bounds", "refusal"]
