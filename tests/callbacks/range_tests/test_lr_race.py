"""The race of a few rates after the sweeps: who wins, and what it costs and says."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from callbacks import LRRangeTest
from callbacks.range_tests.lr_race import Race, field_of
from tests.forked import forked

LRS = np.array([0.01, 0.02, 0.04, 0.08])
STEPS = 48


def losses(*ends: float, noise: float = 0.0, own: float = 0.0) -> list[np.ndarray]:
    """A loss that falls to each end, with noise that all share, as they see the same samples, and of their own."""
    shared = np.random.default_rng(0).normal(size=STEPS)
    alone = np.random.default_rng(1).normal(size=(len(ends), STEPS))
    fall = np.linspace(1, 0, STEPS)
    return [end + fall + noise * shared + own * each for end, each in zip(ends, alone, strict=True)]


def test_the_best_of_the_last_quarter_wins() -> None:
    race = Race(LRS, losses(0.5, 0.3, 0.2, 0.4), STEPS)
    assert race.lr == 0.04 and not race.at_the_edge
    quarter = np.linspace(1, 0, STEPS)[-12:].mean()
    assert race.scores == pytest.approx(np.array([0.5, 0.3, 0.2, 0.4]) + quarter)


def test_what_all_share_is_no_error() -> None:
    """The samples of a step are harder for all rates at once: the distances are what counts."""
    assert Race(LRS, losses(0.5, 0.3, 0.299, 0.4, noise=5.0), STEPS).lr == 0.04


def test_within_a_standard_error_the_lowest_wins() -> None:
    race = Race(LRS, losses(9.0, 0.3, 0.3, 9.0, own=0.05), STEPS)
    best, other = np.argsort(race.scores)[:2]
    apart = race.losses[other][-12:] - race.losses[best][-12:]
    assert race.behind[best] == 0 and race.behind[other] == pytest.approx(np.std(apart, ddof=1) / 12**0.5)
    assert race.lr == (0.02 if apart.mean() < race.behind[other] else LRS[best])
    near = [*race.losses[:2], race.losses[1] - 0.01 * np.resize([1, -0.9], STEPS), race.losses[3]]
    assert np.argmin(Race(LRS, near, STEPS).scores) == 2 and Race(LRS, near, STEPS).lr == 0.02


def test_a_rate_that_breaks_loses_and_the_highest_is_told() -> None:
    broken = losses(0.5, 0.3, 0.2, 0.1)
    broken[3] = np.append(broken[3][:30], np.nan)
    race = Race(LRS, broken, STEPS)
    assert race.lr == 0.04 and math.isinf(race.scores[3])
    assert json.loads(json.dumps(race.record(), allow_nan=False))["losses"][3] is None
    assert Race(LRS, losses(0.5, 0.3, 0.2, 0.1), STEPS).at_the_edge
    all_broken = Race(LRS, [np.full(3, np.nan)] * 4, STEPS)
    assert all_broken.lr == 0.01, "the lowest, where none is better"


def test_the_field() -> None:
    assert field_of(0.01, 0.04, 4) == pytest.approx(0.01 * 8 ** (np.arange(4) / 3))
    assert field_of(0.1, 0.04, 3)[0] == pytest.approx(0.04), "a median above the bounds is no first rate"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"refine": 1}, "refine must lie in"),
        ({"refine": 4, "candidates": 5}, "leave one of them out"),
        ({"refine_steps": 4}, "refine_steps must lie in"),
    ],
)
def test_mistakes(options: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        LRRangeTest(**options)


COMMAND = [
    "lr-range-test", "--model", "MLP", "--model.hidden_sizes", "[100]", "--data", "Digits", "--optimizer", "SGD",
    "--optimizer.lr", "0.1", "--trainer.accelerator", "cpu", "--trainer.enable_progress_bar", "false",
]  # fmt: skip


def answer(folder: Path, name: str, *options: object) -> dict:
    done = forked(*COMMAND, *options, "--run_dir", name, cwd=folder, limit=60)
    assert done.status == 0, done.err
    return json.loads((folder / name / "lr_range_test.json").read_text()) | {"told": done.err, "shown": done.out}


def test_the_command_races(tmp_path: Path) -> None:
    found = answer(tmp_path, "run", "--range_test.refine", 4, "--trainer.enable_progress_bar", "true")
    race = found["race"]
    assert found["lr"] == race["lr"] and race["lr"] in race["lrs"] and len(race["lrs"]) == 4
    assert race["lrs"][0] == pytest.approx(found["median"])
    assert race["lrs"][-1] == pytest.approx(2 * found["bounds"][1])
    assert "of 792 steps" in found["told"], "the cost of the race is told with that of the sweeps"
    assert found["shown"].count("raced, loss") == 4


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
def test_the_suggestion_hardly_depends_on_the_sweep(tmp_path: Path, optimizer: str) -> None:
    """More steps, or fewer decades, move the fall of the curve to the left, and the suggestion corrects for it."""
    usual = answer(tmp_path, "usual", "--optimizer", optimizer, "--optimizer.lr", "0.1")
    for name, option in (("few", ("steps", 100)), ("many", ("steps", 600)), ("short", ("lower", 1e-5))):
        other = answer(
            tmp_path, name, "--optimizer", optimizer, "--optimizer.lr", "0.1", f"--range_test.{option[0]}", option[1]
        )
        assert abs(math.log10(other["lr"] / usual["lr"])) < 0.15, (name, other["lr"], usual["lr"])
        if name == "many":
            assert abs(math.log10(other["median"] / usual["median"])) > 0.2, "without the correction it would"
