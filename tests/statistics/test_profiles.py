"""Performance profiles against a hand-made table, scipy and their monotony."""

import numpy as np
import pytest
from hypothesis import given
from scipy.stats import bootstrap, ecdf

from tests.statistics.tables import normal_scores, unit_scores
from workbench.stats import Bootstrap, ScoresError, performance_profile

TAU = np.linspace(0, 1, 11)


def test_hand_made_profile():
    scores = np.array([[0.0, 0.5], [0.5, 1.0]])
    found = performance_profile(scores, np.array([-0.1, 0.0, 0.4, 0.5, 0.9, 1.0]))
    np.testing.assert_array_equal(found.value, [1.0, 0.75, 0.75, 0.25, 0.25, 0.0])
    assert found.n == 4
    assert found.kind == "range of the 2 seeds of each task"


def test_profile_is_the_survival_function_of_pooled_runs():
    scores, tau = normal_scores(8, 5), np.linspace(-3, 3, 31)
    expected = ecdf(scores.ravel()).sf.evaluate(tau)
    np.testing.assert_allclose(performance_profile(scores, tau).value, expected, atol=1e-12)


def test_band_equals_scipys_bootstrap():
    scores, tau = normal_scores(8, 3), 0.1
    found = performance_profile(scores, np.array([tau]), Bootstrap(resamples=20_000))
    scipys = bootstrap(
        tuple(scores.T),
        lambda *tasks, axis: np.mean([(task > tau).mean(axis) for task in tasks], axis=0),
        method="percentile",
        n_resamples=20_000,
        rng=np.random.default_rng(1),
    ).confidence_interval
    step = 1 / scores.size
    assert found.low[0] == pytest.approx(scipys.low, abs=step)
    assert found.high[0] == pytest.approx(scipys.high, abs=step)
    assert found.low[0] < found.value[0] < found.high[0]


def test_only_seeds_are_resampled():
    """Tasks that differ, with seeds that do not, leave the band without width."""
    found = performance_profile(np.tile([0.2, 0.7, 0.7], (4, 1)), np.array([0.5]))
    assert found.low == found.value == found.high == pytest.approx(2 / 3)


@given(scores=unit_scores())
def test_profiles_never_rise_and_stay_in_the_unit_interval(scores):
    found = performance_profile(scores, TAU, Bootstrap(resamples=50))
    lines = [found.value] if len(scores) == 1 else [found.value, found.low, found.high]
    for line in lines:
        assert (np.diff(line) <= 0).all()
        assert line.min() >= 0
        assert line.max() <= 1
    assert found.value[-1] == 0
    if len(scores) > 1:
        assert (found.low <= found.high).all()


@given(scores=unit_scores())
def test_better_runs_have_a_higher_profile(scores):
    worse, better = (performance_profile(each, TAU, Bootstrap(resamples=2)) for each in (scores, scores + 0.1))
    assert (better.value >= worse.value).all()


def test_one_seed_has_a_profile_and_no_band():
    found = performance_profile(np.array([[0.2, 0.7]]), np.array([0.5]))
    assert found.value == [0.5]
    assert np.isnan([found.low, found.high]).all()
    assert found.kind == "no interval: one seed a task"


def test_scores_that_are_not_finite_are_refused():
    with pytest.raises(ScoresError, match="not finite"):
        performance_profile(np.array([[np.nan]]), TAU)
