"""First passage through a target: among readings, within a budget, on a clock that stands, in a sentence."""

import numpy as np
import pytest

from records.first_passage import FirstPassage, TrainingClock, sentence
from timeline.position import Position


@pytest.mark.parametrize("seed", range(20))
def test_first_passage_is_the_first_reading_at_or_above(seed: int) -> None:
    accuracies = np.random.default_rng(seed).integers(0, 21, 12) / 20
    for target in (0.05, 0.5, 0.9, 1.0):
        passage = FirstPassage(target)
        for i, accuracy in enumerate(accuracies.tolist()):
            passage.add(accuracy, Position(10 * i, 100 * i, i / 2), float(i))
        first = next((i for i, accuracy in enumerate(accuracies) if accuracy >= target), None)
        result = passage.result()
        assert result["reached"] == (first is not None)
        spent = len(accuracies) - 1 if first is None else first
        expected = (10 * spent, 100 * spent, spent / 2, spent)
        assert (result["steps"], result["samples"], result["epochs"], result["seconds"]) == expected
        assert result["best_accuracy"] == accuracies.max()


def test_a_target_set_later_is_found_among_the_readings() -> None:
    passage = FirstPassage(0.99)
    for step, accuracy in enumerate((0.5, 0.9, 0.7, 0.95)):
        passage.add(accuracy, Position(step, step, step), step)
    assert passage.reached is None
    passage.target = 0.8
    assert passage.reached is not None and passage.reached.steps == 1


def test_what_was_spent_without_a_reading_counts_for_the_budget_alone() -> None:
    passage = FirstPassage(0.9)
    assert passage.result() == {"target": 0.9, "reached": False, "best_accuracy": None}
    passage.spend(Position(5, 50, 0.5), 3.0, 1.0)
    assert passage.result() == {
        "target": 0.9, "reached": False, "best_accuracy": None,
        "epochs": 0.5, "steps": 5, "samples": 50, "seconds": 3.0, "warm_up_seconds": 1.0,
    }  # fmt: skip
    passage.add(0.9, Position(6, 60, 0.6), 4.0, 1.0)
    passage.spend(Position(9, 90, 0.9), 7.0, 1.0)
    assert passage.result()["steps"] == 6 and passage.result()["seconds"] == 4.0


def test_a_diverged_run_has_no_best() -> None:
    passage = FirstPassage(0.9)
    passage.add(float("nan"), Position(1, 1, 1), 1.0)
    assert passage.result()["best_accuracy"] is None and not passage.result()["reached"]


def test_the_clock_stands_and_keeps_its_parts_apart() -> None:
    clock = TrainingClock()
    clock.stop(5.0)
    clock.start(10.0)
    clock.start(12.0)
    clock.stop(13.0)
    clock.switch("warm_up", 20.0)
    assert not clock.running
    clock.start(30.0)
    clock.switch("training", 34.0)
    clock.stop(35.0)
    assert clock.seconds == {"training": 4.0, "warm_up": 4.0}


def test_sentences() -> None:
    passage = FirstPassage(0.94)
    assert sentence(passage.result(), "val/accuracy") == (
        "val/accuracy 0.94: not reached, best none measured, after nothing"
    )
    passage.add(0.93, Position(2000, 128_000, 2.5), 61.24, 1.0)
    spent = "2.5 epochs, 2,000 steps, 128,000 samples, 61.2 s of training and 1.0 s of warm-up"
    assert sentence(passage.result(), "accuracy") == f"accuracy 0.94: not reached, best 0.9300, after {spent}"
    passage.target = 0.9
    assert sentence(passage.result(), "accuracy") == f"accuracy 0.9: reached after {spent}"
