"""Means and intervals against scipy.stats, and at the edges where that gives warnings."""

import math

import pytest
from scipy import stats

from studies.statistics import Sample, chance, paired, sample

A = {1: 0.91, 2: 0.93, 3: 0.92, 4: 0.95, 5: 0.90}
B = {1: 0.90, 2: 0.91, 3: 0.91, 4: 0.91, 5: 0.89}


def test_the_interval_is_students() -> None:
    found = sample(A.values())
    reference = stats.ttest_1samp(list(A.values()), 0).confidence_interval(0.95)
    assert found.n == 5
    assert found.mean == pytest.approx(sum(A.values()) / 5)
    assert found.deviation == pytest.approx(math.sqrt(sum((v - found.mean) ** 2 for v in A.values()) / 4))
    assert found.interval == pytest.approx((reference.low, reference.high))


def test_differences_are_paired_by_seed() -> None:
    reference = stats.ttest_rel(list(A.values()), list(B.values())).confidence_interval(0.95)
    assert paired(A, B).interval == pytest.approx((reference.low, reference.high))
    independent = stats.ttest_ind(list(A.values()), list(B.values()), equal_var=False).confidence_interval(0.95)
    assert reference.high - reference.low < independent.high - independent.low


def test_the_chance_is_that_of_the_paired_t_test() -> None:
    assert chance(paired(A, B)) == pytest.approx(stats.ttest_rel(list(A.values()), list(B.values())).pvalue)
    assert chance(paired(A, A)) == 1.0 and chance(sample([2.0, 2.0, 2.0])) == 0.0 and chance(sample([1.0, 2.0])) is None


def test_seeds_that_one_side_lacks_are_left_out() -> None:
    assert paired(A, {2: 0.9, 7: 0.1}) == Sample(1, pytest.approx(0.03), None, None)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], Sample(0, pytest.approx(math.nan, nan_ok=True), None, None)),
        ([3.0], Sample(1, 3.0, None, None)),
        ([1.0, 2.0], Sample(2, 1.5, pytest.approx(math.sqrt(0.5)), None)),
        ([2.0, 2.0, 2.0], Sample(3, 2.0, 0.0, (2.0, 2.0))),
    ],
)
def test_few_or_equal_values(values: list[float], expected: Sample) -> None:
    assert sample(values) == expected


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_not_finite_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="diverged"):
        sample([1.0, value])
