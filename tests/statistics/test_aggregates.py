"""Aggregates against scipy, hand-made arrays and their invariances."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import trim_mean

from tests.statistics.tables import SIZES, normal_scores, unit_scores
from workbench.stats import Estimate, ScoresError, estimate, iqm, mean, mean_and_sd, median, optimality_gap
from workbench.stats.estimate import check_scores

STATISTICS = [mean, median, iqm, optimality_gap]
HAND = np.array([[0.0, 0.4, 1.0], [0.2, 0.4, 1.4], [0.4, 1.0, 1.2]])
"""Three seeds of three tasks; task means 0.2, 0.6, 1.2; sorted 0 .2 | .4 .4 .4 1 1 | 1.2 1.4."""


@pytest.mark.parametrize(
    ("statistic", "value"),
    [(mean, 6 / 9), (median, 0.6), (iqm, 3.2 / 5), (optimality_gap, (1 + 0.8 + 3 * 0.6) / 9)],
)
def test_hand_made_scores(statistic, value):
    assert statistic(HAND) == pytest.approx(value)


@given(scores=unit_scores(seeds=st.integers(1, 9), tasks=st.integers(1, 9)))
def test_iqm_equals_scipys_trimmed_mean(scores):
    assert iqm(scores) == pytest.approx(trim_mean(scores.ravel(), 0.25))


def test_iqm_forgets_outliers():
    scores = np.array([[0.5, 0.5, 0.5], [0.5, 0.5, 0.5], [0.5, 0.5, 1e9], [0.5, -1e9, 0.5]])
    assert iqm(scores) == 0.5


def test_optimality_gap_counts_no_surplus():
    assert optimality_gap(np.array([[2.0, 5.0]])) == 0.0
    assert optimality_gap(np.array([[2.0, 5.0]]), goal=4.0) == 1.0


@pytest.mark.parametrize("statistic", STATISTICS)
@given(scores=unit_scores(), seed=st.integers(0, 99))
def test_order_of_seeds_and_tasks_is_nothing(statistic, scores, seed):
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(rng.permuted(scores, axis=0), axis=1)
    assert statistic(shuffled) == pytest.approx(statistic(scores))


@pytest.mark.parametrize("statistic", STATISTICS)
@given(scores=unit_scores())
def test_aggregates_stay_between_the_extremes(statistic, scores):
    low, high = scores.min(), scores.max()
    if statistic is optimality_gap:
        low, high = 1 - high, 1 - low
    assert low - 1e-12 <= statistic(scores) <= high + 1e-12


@pytest.mark.parametrize("statistic", [mean, median, iqm])
@given(scores=unit_scores(), shift=st.floats(-5, 5), scale=st.floats(0.1, 10))
def test_aggregates_follow_the_unit(statistic, scores, shift, scale):
    assert statistic(scale * scores + shift) == pytest.approx(scale * statistic(scores) + shift, abs=1e-9)


@pytest.mark.parametrize("statistic", STATISTICS)
def test_leading_axes_are_resamples(statistic):
    many = np.random.default_rng(0).random((5, 4, 3))
    np.testing.assert_allclose(statistic(many), [statistic(each) for each in many])


@given(seeds=SIZES, tasks=SIZES)
def test_mean_of_equal_runs_is_certain(seeds, tasks):
    found = estimate(np.full((seeds + 1, tasks), 0.25))
    assert (found.value, found.low, found.high, found.n) == (0.25, 0.25, 0.25, (seeds + 1) * tasks)


def test_mean_and_sd_by_hand():
    """Means over tasks are 1, 2, 3, whose standard deviation is 1."""
    found = mean_and_sd(np.array([[0.0, 2.0], [1.0, 3.0], [2.0, 4.0]]))
    assert found == Estimate(2.0, 1.0, 3.0, 6, "± 1 standard deviation over 3 seeds")


def test_mean_and_sd_of_one_seed_has_no_interval():
    found = mean_and_sd(np.array([[0.0, 2.0]]))
    assert (found.value, found.kind) == (1.0, "no interval: one seed a task")
    assert np.isnan([found.low, found.high]).all()


@pytest.mark.parametrize("use", [estimate, mean_and_sd])
@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_scores_that_are_not_finite_are_refused(use, broken):
    scores = normal_scores(3, 2)
    scores[1, 1] = broken
    with pytest.raises(ScoresError, match="1 of 6 scores are not finite"):
        use(scores)


@pytest.mark.parametrize("shape", [(8,), (0, 3), (3, 0), (2, 3, 4)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ScoresError, match=r"give an array of shape \(seed, task\)"):
        check_scores(np.zeros(shape))
