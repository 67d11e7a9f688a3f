"""Differences of rates: published examples, symmetry, coverage, and what seeds add to episodes."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t

from workbench.stats import Estimate, ScoresError, rate_difference, student, success_difference
from workbench.stats.differences import ONE_SEED, corrected_level, least_of, mean_of

COUNTS = st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@pytest.mark.parametrize(
    ("a", "b", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((10, 10), (0, 10), 0.6075, 1.0),
        ((0, 10), (0, 10), -0.2775, 0.2775),
    ],
)
def test_newcombes_own_examples(a, b, low, high):
    """Table II of Newcombe 1998, method 10."""
    found = rate_difference(a, b)
    assert (found.low, found.high) == (pytest.approx(low, abs=6e-5), pytest.approx(high, abs=6e-5))


@given(COUNTS, COUNTS)
def test_a_difference_lies_in_its_interval_and_swapping_negates_it(a, b):
    one, other = rate_difference(a, b), rate_difference(b, a)
    assert -1 <= one.low <= one.value <= one.high <= 1
    assert (one.value, one.low, one.high) == pytest.approx((-other.value, -other.high, -other.low))
    assert one.n == a[1] + b[1]


def test_coverage_of_95_in_100():
    rng = np.random.default_rng(0)
    pairs = zip(rng.binomial(150, 0.7, 2000).tolist(), rng.binomial(150, 0.6, 2000).tolist(), strict=True)
    found = [rate_difference((a, 150), (b, 150)) for a, b in pairs]
    assert 0.93 <= np.mean([each.low <= 0.1 <= each.high for each in found]) <= 0.97


def test_one_seed_covers_episodes_alone_and_says_so():
    found, episodes = success_difference({3: (40, 50)}, {3: (20, 50)}), rate_difference((40, 50), (20, 50))
    assert (found.low, found.high) == pytest.approx((episodes.low, episodes.high))
    assert found.kind == ONE_SEED


def test_seeds_that_disagree_widen_the_interval_to_each_of_them():
    a, b = {0: (95, 100), 1: (50, 100)}, {0: (50, 100), 1: (50, 100)}
    found = success_difference(a, b)
    assert found.value == pytest.approx(0.225)
    assert (found.low, found.high) == pytest.approx((0.0, 0.45))
    assert "2 training seeds" in found.kind


def test_only_common_seeds_count():
    found = success_difference({0: (10, 10), 1: (0, 10)}, {1: (0, 10), 2: (10, 10)})
    assert (found.value, found.n) == (0.0, 20)
    with pytest.raises(ScoresError, match="no training seed is common"):
        success_difference({0: (1, 2)}, {1: (1, 2)})


def test_a_higher_level_is_wider():
    plain, wide = (success_difference({0: (30, 50)}, {0: (20, 50)}, level) for level in (0.95, corrected_level(10)))
    assert wide.low < plain.low < plain.high < wide.high


def part(value: float, half: float) -> Estimate:
    return Estimate(value, value - half, value + half, 5, "of a test")


def test_the_mean_of_estimates_adds_their_ends_in_squares():
    found = mean_of([part(1.0, 3.0), part(3.0, 4.0)])
    assert (found.value, found.low, found.high, found.n) == (2.0, -0.5, 4.5, 10)
    assert mean_of([part(1.0, 3.0)]) == part(1.0, 3.0)
    with pytest.raises(ScoresError):
        mean_of([])


def test_the_least_has_the_least_lower_end_and_the_least_corrected_upper_end():
    found = least_of([part(1.0, 0.5), part(2.0, 3.0)], [part(1.0, 0.8), part(2.0, 4.0)])
    assert (found.value, found.low, found.high) == (1.0, -1.0, 1.8)
    with pytest.raises(ScoresError):
        least_of([], [])


def test_students_interval_is_scipys():
    values = [1.0, 2.0, 4.0]
    low, high = t.interval(0.95, 2, np.mean(values), np.std(values, ddof=1) / math.sqrt(3))
    found = student(values)
    assert (found.low, found.high) == pytest.approx((low, high))
    assert math.isnan(student([1.0]).low)
    with pytest.raises(ScoresError):
        student([])
