"""Where each seed's curve looks flat, the rules are asked of means over the seeds; a fall of one seed is no answer."""

import json

import numpy as np
import pytest

from callbacks.range_tests.lr_consensus import Consensus, consensus
from callbacks.range_tests.lr_curve import BANDWIDTH
from callbacks.range_tests.lr_edges import edges
from callbacks.range_tests.lr_outcome import POOLED, LROutcome
from callbacks.range_tests.lr_rules import CANDIDATE_RULES, RULES
from callbacks.range_tests.lr_sweeps import Sweep

LRS = np.geomspace(1e-7, 10, 200)
TARGET = 1e-2


def curve(depth: float, seed: int, noise: float = 0.1) -> np.ndarray:
    """Falls by `depth`, most at TARGET; rises from 1 on, with the square of the decades."""
    x = np.log10(LRS)
    level = 2.3 - depth / (1 + np.exp(-(x + 2) / 0.25)) + 3 * np.maximum(x, 0) ** 2
    return level + noise * np.random.default_rng(seed).standard_normal(len(LRS))


def shallow(number: int) -> list[np.ndarray]:
    return [curve(0.2, 3 * number + seed) for seed in range(3)]


def outcome(losses: list[np.ndarray]) -> LROutcome:
    return LROutcome(LRS, [Sweep(one, "finished") for one in losses], RULES, 0.9)


POOLABLE = next(
    number
    for number, found in ((number, consensus(LRS, shallow(number))) for number in range(100))
    if found.pooled and found.bandwidth == BANDWIDTH
)


def test_a_fall_in_the_noise_of_each_seed_is_found_in_their_means():
    found = [consensus(LRS, shallow(number)) for number in range(100)]
    pooled = [answer for answer in found if answer.pooled and answer.bandwidth == BANDWIDTH]
    assert len(pooled) > 10
    apart = [abs(np.log10(answer.median / TARGET)) for answer in pooled if answer.median is not None]
    assert np.median(apart) < 0.25 and max(apart) < 0.5
    for answer in pooled:
        assert answer.seeds == 3 and all(rule is None or rule.seeds == 3 for rule in answer.rules.values())


def test_each_mean_leaves_one_seed_out():
    losses = shallow(POOLABLE)
    means = [(losses[1] + losses[2]) / 2, (losses[0] + losses[2]) / 2, (losses[0] + losses[1]) / 2]
    pooled, of_means = consensus(LRS, losses), consensus(LRS, means)
    assert pooled.median == pytest.approx(of_means.median) and pooled.bounds == pytest.approx(of_means.bounds)
    assert pooled.lr == pytest.approx(of_means.lr)


def test_pure_noise_stays_flat():
    refused = [consensus(LRS, [curve(0.0, 3 * number + seed) for seed in range(3)]) for number in range(100)]
    assert all(found.lr is None and not found.pooled and "flat" in str(found.refusal) for found in refused)


def test_a_fall_that_one_seed_has_is_no_answer():
    for number in range(20):
        losses = [curve(1.5, 3 * number), curve(0.0, 3 * number + 1), curve(0.0, 3 * number + 2)]
        assert consensus(LRS, losses).refusal is not None
    assert consensus(LRS, [curve(0.0, 0), curve(1.5, 1)]).refusal is not None


def test_seeds_that_answer_by_themselves_are_not_averaged():
    losses = [curve(1.5, seed) for seed in range(3)]
    assert not consensus(LRS, losses).pooled and "pooled" not in outcome(losses).record()


def test_means_go_as_far_as_the_shortest_seed():
    losses = [one[: 160 - 5 * seed] for seed, one in enumerate(shallow(POOLABLE))]
    found = consensus(LRS, losses)
    assert found.pooled and found.lr is not None and found.lr <= LRS[149]


@pytest.mark.parametrize("pooled", [True, False])
def test_an_answer_at_the_end_of_the_shortest_seed_is_told(pooled: bool) -> None:
    """The means end there; seeds that answer by themselves reach as far as the longest."""
    sweeps = [Sweep(curve(0.2, seed)[:length], "diverged") for seed, length in enumerate((150, 160, 170))]
    found = Consensus(float(LRS[149]), 0.01, (0.001, 0.02), {}, 3, None, pooled)
    assert any("the last rate that the sweeps reached" in one for one in edges(LRS, sweeps, found, None)) == pooled


def test_known_errors_are_those_of_the_mean():
    """Candidates' losses have standard errors: a fall of two of them is in no seed, and in the mean of seven."""
    lrs = np.geomspace(1e-5, 10, 13)
    level = 2.3 - 0.4 / (1 + np.exp(-(np.log10(lrs) + 2) / 0.25))
    errors = [np.full(13, 0.1)] * 7
    assert consensus(lrs, [level] * 2, CANDIDATE_RULES, errors[:2]).refusal is not None
    found = consensus(lrs, [level] * 7, CANDIDATE_RULES, errors)
    alone = consensus(lrs, [level], CANDIDATE_RULES, [np.full(13, 0.1 / 6**0.5)])
    assert found.pooled and found.lr == alone.lr and found.bounds == alone.bounds


def test_what_small_falls_of_the_same_images_are_is_asked_of_the_means_too():
    """Without noise a fall of half a percent is flat in a seed, and in the mean of all."""
    losses = [curve(0.01, seed, noise=0.0) for seed in range(3)]
    refused = consensus(LRS, losses, same_images=True)
    assert refused.refusal is not None and "less than 1%" in refused.refusal


def test_it_is_told_in_the_line_the_table_the_record_and_the_figure():
    found = outcome(shallow(POOLABLE))
    assert found.summary().endswith(POOLED)
    assert found.table()[-1]["rule"] == "suggested in means over the seeds"
    assert json.loads(json.dumps(found.record()))["pooled"] is True
    figure = found.figure("A title")
    assert figure is not None and POOLED in figure.axes[0].get_title(loc="left")
