"""A slow fall in the noise of small batches, which no quarter of a decade shows, is found over more decades."""

import json

import numpy as np
import pytest

from callbacks.range_tests.lr_consensus import Consensus, consensus
from callbacks.range_tests.lr_curve import BANDWIDTH, Curve, curve
from callbacks.range_tests.lr_outcome import POOLED, WIDE, LROutcome
from callbacks.range_tests.lr_rules import RULES
from callbacks.range_tests.lr_sweeps import Sweep
from callbacks.range_tests.lr_views import WIDER, narrowest, views

LRS = np.geomspace(1e-7, 10, 200)
NOISE = 0.1
TARGET = 1e-2
BOUNDS = RULES[-1]


def losses(depth: float, seed: int, noise: float = NOISE, width: float = 0.25) -> np.ndarray:
    """Falls by `depth`, most at TARGET; rises from .1 on, with the square of the decades."""
    x = np.log10(LRS)
    level = 1.2 - depth / (1 + np.exp(-(x + 2) / width)) + 3 * depth * np.maximum(x + 1, 0) ** 2
    return level + noise * np.random.default_rng(seed).standard_normal(len(LRS))


def draw(number: int, seeds: int = 3, depth: float = 1.5 * NOISE) -> list[np.ndarray]:
    return [losses(depth, 1000 * number + seed) for seed in range(seeds)]


@pytest.fixture(scope="module")
def found() -> list[Consensus]:
    return [consensus(LRS, draw(number)) for number in range(60)]


def test_a_fall_of_one_and_a_half_times_the_noise_is_found(found: list[Consensus]) -> None:
    """By a quarter of a decade alone, as before, in 3 of 60."""
    answers = [one for one in found if one.refusal is None]
    assert len(answers) >= 54 and sum(one.bandwidth == BANDWIDTH for one in answers) <= 6
    assert {one.bandwidth for one in answers} <= {BANDWIDTH, *WIDER}


def test_what_is_found_lies_where_it_would_without_the_noise(found: list[Consensus]) -> None:
    """A wide curve itself shows the fall too low, as it blurs the rise behind it."""
    clear = consensus(LRS, [losses(1.5 * NOISE, seed, 1e-4) for seed in range(3)])
    wide = [one for one in found if one.bandwidth > BANDWIDTH]
    apart = [np.log10([one.lr / clear.lr, one.bounds[1] / clear.bounds[1]]) for one in wide]  # type: ignore[operator,index]
    assert np.abs(np.median(apart, axis=0)).max() < 0.1 and np.abs(apart).max() < 0.6


def test_noise_alone_is_hardly_ever_taken_for_a_fall() -> None:
    alone = [consensus(LRS, draw(number, 1, 0.0)) for number in range(200)]
    assert sum(one.refusal is None for one in alone) <= 4
    assert all(consensus(LRS, draw(number, 3, 0.0)).refusal is not None for number in range(100))


def test_a_single_seed_is_enough_where_its_fall_is_certain() -> None:
    number = next(n for n in range(100) if consensus(LRS, draw(n, 1)).bandwidth > BANDWIDTH)
    alone = consensus(LRS, draw(number, 1))
    assert alone.refusal is None and not alone.pooled and alone.seeds == 1


def test_seeds_that_answer_are_not_smoothed_further() -> None:
    clear = draw(0, depth=1.0)
    assert consensus(LRS, clear).bandwidth == BANDWIDTH
    assert "bandwidth" not in LROutcome(LRS, [Sweep(one, "diverged") for one in clear], RULES, 0.9).record()


@pytest.mark.parametrize("known", ["errors", "same images"])
def test_it_is_not_done_where_the_noise_is_known(known: str) -> None:
    number = next(n for n in range(100) if consensus(LRS, draw(n)).bandwidth > BANDWIDTH)
    errors = [np.full(len(LRS), NOISE)] * 3 if known == "errors" else None
    refused = consensus(LRS, draw(number), errors_per_seed=errors, same_images=known == "same images")
    assert refused.refusal is not None and refused.bandwidth == BANDWIDTH


def test_the_views_in_their_order() -> None:
    curves = [(one, None) for one in draw(0)]
    seen = [(view.bandwidth, view.pooled, len(view.curves), view.least) for view in views(curves)]
    assert seen == [(width, pooled, 3, 3 if pooled else 2) for width in (BANDWIDTH, *WIDER) for pooled in (False, True)]
    assert [view.pooled for view in views(curves[:2], ())] == [False]
    assert narrowest(LRS, [(np.full(len(LRS), 2.0), None)], WIDER[-1]) is None


@pytest.mark.parametrize("depth", [3.0, 5.0])
def test_lr_min_is_not_taken_from_the_noise_before_the_fall(depth: float) -> None:
    """The highest level of the noise lies anywhere in five decades; a tenth of the fall below it did, too."""
    found = [BOUNDS(LRS, losses(depth * NOISE, seed)) for seed in range(40)]
    low = np.log10([answer[0] for answer in found if answer is not None])
    clear = np.log10(BOUNDS(LRS, losses(depth * NOISE, 0, 1e-4))[0])  # type: ignore[index]
    assert len(low) > 20 and abs(np.median(low) - clear) < 0.3 and np.std(low) < 0.3


def test_lr_min_of_a_clear_fall_is_where_a_tenth_of_it_is_done() -> None:
    at = curve(LRS, losses(1.0, 0, 0.02))
    assert isinstance(at, Curve)
    top = int(np.argmax(at.level[: at.minimum + 1]))
    done = (at.level[top] - at.level) / (at.level[top] - at.level[at.minimum])
    tenth = np.flatnonzero(done[: at.minimum + 1] <= 0.1)[-1]
    assert BOUNDS(LRS, losses(1.0, 0, 0.02))[0] == pytest.approx(10 ** at.x[tenth])  # type: ignore[index]


def test_it_is_told_in_the_line_the_table_the_record_and_the_figure(found: list[Consensus]) -> None:
    number = next(n for n, one in enumerate(found) if one.bandwidth > BANDWIDTH and one.refusal is None)
    outcome = LROutcome(LRS, [Sweep(one, "diverged") for one in draw(number)], RULES, 0.9)
    said = WIDE.format(found[number].bandwidth)
    assert f"{POOLED}; {said}" in outcome.summary()
    assert outcome.table()[-1]["rule"] == "suggested in means over the seeds"
    assert json.loads(json.dumps(outcome.record()))["bandwidth"] == found[number].bandwidth
    figure = outcome.figure("A title")
    assert figure is not None and said in figure.axes[0].get_title(loc="left")


def test_a_refusal_says_what_would_help() -> None:
    assert "more seeds or larger batches" in str(consensus(LRS, draw(0, depth=0.0)).refusal)
