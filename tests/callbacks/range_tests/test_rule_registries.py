"""Which rules the suggestion rests on: those that say so, whatever others are asked beside them."""

import numpy as np
import pytest

from callbacks.range_tests.lr_consensus import Consensus, consensus
from callbacks.range_tests.lr_curve import Curve
from callbacks.range_tests.lr_rules import CANDIDATE_RULES, RULES, Answers, Rule

LRS = np.geomspace(1e-7, 10, 200)
REGISTRIES = {"sweeps": RULES, "candidates": CANDIDATE_RULES}
every_registry = pytest.mark.parametrize("registry", REGISTRIES.values(), ids=REGISTRIES)


def far_off(at: Curve) -> Answers:
    """Decades below any fall, so that a median, bounds or agreement with it in them would be another."""
    return 1e-12, 1e-12


def silent(at: Curve) -> Answers:
    return None


BESIDE = (
    Rule("far off", far_off, "point"),
    Rule("wide", lambda at: (1e-12, 1e3), "bounds"),
    Rule("silent", silent, "point"),
    Rule("silent bounds", silent, "bounds"),
)


def fallen(fall: float) -> list[np.ndarray]:
    level = 2.3 - fall / (1 + (1e-2 / LRS) ** 2) + 20 * np.maximum(np.log10(LRS) + 0.5, 0) ** 2
    return [level + 0.02 * np.random.default_rng(seed).standard_normal(len(LRS)) for seed in range(3)]


def disagreeing() -> list[np.ndarray]:
    return [np.interp(np.log10(LRS), [-7, -6.2, -5.8, 0.5, 1], [3, 3, 1.5, 1.0, 3])]


def said(found: Consensus) -> tuple[object, ...]:
    return found.lr, found.bounds, found.refusal, found.seeds


@every_registry
@pytest.mark.parametrize("losses", [fallen(1.8), fallen(0.0), disagreeing()], ids=["fallen", "flat", "disagreeing"])
@pytest.mark.parametrize("rule", BESIDE, ids=lambda rule: rule.name)
@pytest.mark.parametrize("last", [True, False])
def test_a_rule_that_does_not_count_changes_no_suggestion(registry, losses, rule: Rule, last: bool) -> None:
    without = consensus(LRS, losses, registry)
    beside = consensus(LRS, losses, [*registry, rule] if last else [rule, *registry])
    assert said(beside) == said(without)
    assert {name: beside.rules[name] for name in without.rules} == without.rules
    answer, its = beside.rules[rule.name], rule(LRS, losses[0])
    assert its is None if answer is None else (answer.low, answer.high) == pytest.approx(its)


def test_the_same_rule_changes_it_once_it_counts() -> None:
    """Or the test above would prove nothing."""
    low = Rule("low", lambda at: (1e-2, 1e-2), "point", counts=True)
    without = consensus(LRS, fallen(1.8), CANDIDATE_RULES)
    counted = consensus(LRS, fallen(1.8), [*CANDIDATE_RULES, low])
    assert counted.lr == pytest.approx((without.lr * 1e-2) ** 0.5) and counted.bounds == without.bounds


def test_a_rule_says_itself_what_it_answers() -> None:
    """By neither its name nor its numbers: bounds may be called otherwise, or be the same rate twice."""
    point = Rule("bounds", far_off, "point")
    interval = Rule("narrow", lambda at: (1e-3, 1e-3), "bounds", counts=True)
    counting = [rule for rule in RULES if rule.answers == "point"]
    found = consensus(LRS, fallen(1.8), [*counting, point, interval])
    assert found.bounds == pytest.approx((1e-3, 1e-3)) and found.lr == consensus(LRS, fallen(1.8)).median
    assert found.rules["bounds"].point and not found.rules["narrow"].point


@pytest.mark.parametrize("counts", [0, 2])
def test_one_bounds_rule_counts(counts: int) -> None:
    bounds = [Rule(f"bounds {number}", far_off, "bounds", counts=number < counts) for number in range(2)]
    with pytest.raises(ValueError, match="one bounds rule must count"):
        consensus(LRS, fallen(1.8), [RULES[0], *bounds])


@every_registry
def test_a_registry_has_one_rule_of_a_name(registry) -> None:
    names = [rule.name for rule in registry]
    assert len(names) == len(set(names))


@every_registry
@pytest.mark.parametrize("losses", [fallen(1.8)], ids=["fallen"])
def test_rules_answer_what_they_say(registry, losses) -> None:
    for rule in registry:
        low, high = rule(LRS, losses[0])
        assert low == high if rule.answers == "point" else low < high
