"""Comparisons of two agents against closed forms, scipy and their symmetries."""

import numpy as np
import pytest
from hypothesis import given
from scipy.stats import bootstrap, mannwhitneyu, norm

from tests.statistics.tables import normal_scores, unit_pairs
from workbench.stats import (
    Bootstrap,
    ScoresError,
    estimate,
    iqm,
    mean,
    paired_difference,
    probability_of_improvement,
)

FEW, MANY = Bootstrap(resamples=50), Bootstrap(resamples=20_000)


def scipys_interval(*samples, statistic, paired=False):
    return bootstrap(
        samples, statistic, paired=paired, method="percentile", n_resamples=20_000, rng=np.random.default_rng(1)
    ).confidence_interval


def test_hand_made_probability():
    """Task 1: 2 wins of 4 and a tie; task 2: 4 wins of 4."""
    a, b = np.array([[1.0, 5.0], [3.0, 6.0]]), np.array([[1.0, 0.0], [2.0, 1.0]])
    found = probability_of_improvement(a, b)
    assert found.value == pytest.approx(((2 + 0.5) / 4 + 1) / 2)
    assert found.n == 8


@pytest.mark.parametrize("shift", [0.0, 0.5, 2.0])
def test_probability_between_shifted_normals(shift):
    """P(N(μ, 1) > N(0, 1)) = Φ(μ / √2)."""
    a, b = normal_scores(400, 5, seed=1) + shift, normal_scores(400, 5, seed=2)
    found = probability_of_improvement(a, b, Bootstrap(resamples=100))
    assert found.value == pytest.approx(norm.cdf(shift / np.sqrt(2)), abs=0.015)
    assert found.low < found.value < found.high
    assert found.high - found.low < 0.06


@given(pair=unit_pairs())
def test_probability_is_mann_whitneys_u(pair):
    a, b = pair
    expected = np.mean([mannwhitneyu(*task).statistic for task in zip(a.T, b.T, strict=True)]) / len(a) ** 2
    assert probability_of_improvement(a, b, FEW).value == pytest.approx(expected)


@given(pair=unit_pairs())
def test_probabilities_of_both_orders_add_to_one(pair):
    a, b = pair
    there, back = probability_of_improvement(a, b, FEW), probability_of_improvement(b, a, FEW)
    assert there.value + back.value == pytest.approx(1)
    assert probability_of_improvement(a, a, FEW).value == 0.5
    if len(a) > 1:
        assert 0 <= there.low <= there.high <= 1


def test_probability_interval_equals_scipys():
    """Agents with other numbers of seeds, resampled apart from each other."""
    a, b = normal_scores(9, 1, seed=1) + 0.5, normal_scores(6, 1, seed=2)
    found = probability_of_improvement(a, b, MANY)
    scipys = scipys_interval(
        a[:, 0], b[:, 0], statistic=lambda x, y, axis: (x[..., :, None] > y[..., None, :]).mean((-2, -1))
    )
    assert found.low == pytest.approx(scipys.low, abs=0.02)
    assert found.high == pytest.approx(scipys.high, abs=0.02)
    assert "over the 9 and 6 seeds of each task" in found.kind


def test_monotone_scale_changes_no_probability():
    a, b = normal_scores(6, 3, seed=1), normal_scores(6, 3, seed=2)
    assert probability_of_improvement(np.exp(a), np.exp(b)) == probability_of_improvement(a, b)


def test_hand_made_difference():
    a, b = np.array([[1.0, 5.0], [3.0, 6.0]]), np.array([[0.0, 5.0], [2.0, 4.0]])
    found = paired_difference(a, b)
    assert (found.value, found.n) == (1.0, 4)
    assert (found.low, found.high) == (0.5, 1.5)


def test_common_seeds_cancel():
    """b is a less a constant: nothing is uncertain about the difference, though the agents' own means are."""
    a = normal_scores(5, 4)
    found = paired_difference(a, a - 0.25)
    assert (found.low, found.high) == pytest.approx((0.25, 0.25))
    assert estimate(a, mean).high - estimate(a, mean).low > 0.5


@pytest.mark.parametrize("statistic", [mean, iqm])
def test_paired_interval_equals_scipys(statistic):
    a = normal_scores(9, 1, seed=1)
    b = a + normal_scores(9, 1, seed=2) / 2
    found = paired_difference(a, b, statistic, MANY)
    scipys = scipys_interval(
        a[:, 0], b[:, 0], paired=True, statistic=lambda x, y, axis: statistic(x[..., None]) - statistic(y[..., None])
    )
    width = scipys.high - scipys.low
    assert found.low == pytest.approx(scipys.low, abs=0.03 * width)
    assert found.high == pytest.approx(scipys.high, abs=0.03 * width)


@given(pair=unit_pairs())
def test_mean_difference_is_the_mean_of_differences(pair):
    a, b = pair
    there, back, single = paired_difference(a, b, how=FEW), paired_difference(b, a, how=FEW), estimate(a - b, mean, FEW)
    assert there.value == pytest.approx(-back.value)
    assert [there.value, there.low, there.high] == pytest.approx([single.value, single.low, single.high], nan_ok=True)


@pytest.mark.parametrize("compare", [probability_of_improvement, paired_difference])
def test_one_seed_has_no_interval(compare):
    found = compare(np.array([[0.2, 0.7]]), np.array([[0.1, 0.9]]))
    assert np.isnan([found.low, found.high]).all()
    assert found.kind == "no interval: one seed a task"


@pytest.mark.parametrize("compare", [probability_of_improvement, paired_difference])
def test_scores_that_are_not_finite_are_refused(compare):
    whole, broken = np.zeros((2, 1)), np.array([[0.0], [np.nan]])
    for pair in ((whole, broken), (broken, whole)):
        with pytest.raises(ScoresError, match="1 of 2 scores are not finite"):
            compare(*pair)
