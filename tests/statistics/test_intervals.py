"""Intervals against scipy, closed forms and a simulation of their coverage."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, bootstrap, norm

from tests.statistics.tables import normal_scores, unit_scores
from workbench.stats import Bootstrap, ScoresError, estimate, iqm, mean, median, optimality_gap, success_rate, wilson

MANY = Bootstrap(resamples=20_000)
STATISTICS = [mean, median, iqm, optimality_gap]


@given(n=st.integers(1, 500), share=st.floats(0, 1))
def test_wilson_equals_scipy(n, share):
    k = round(share * n)
    low, high = wilson(k, n)
    expected = binomtest(k, n).proportion_ci(method="wilson")
    assert low == pytest.approx(expected.low, abs=1e-7)
    assert high == pytest.approx(expected.high, abs=1e-7)


@pytest.mark.parametrize(("k", "n"), [(-1, 5), (6, 5), (0, 0)])
def test_wilson_refuses_what_is_no_rate(k, n):
    with pytest.raises(ScoresError, match="no rate"):
        wilson(k, n)
    with pytest.raises(ScoresError, match="no rate"):
        success_rate(k, n)


def test_success_rate_carries_its_episodes():
    rate = success_rate(30, 50)
    assert (rate.value, rate.n, rate.kind) == (0.6, 50, "95 % Wilson interval over episodes")
    assert (rate.low, rate.high) == wilson(30, 50)


@pytest.mark.parametrize("statistic", STATISTICS)
def test_stratified_bootstrap_equals_scipy(statistic):
    """scipy resamples several samples apart from each other, which is what strata are."""
    scores = normal_scores(seeds=8, tasks=3) + np.array([0.0, 1.0, 5.0])
    ours = estimate(scores, statistic, MANY)
    scipys = bootstrap(
        tuple(scores.T),
        lambda *tasks, axis: statistic(np.stack(tasks, axis=-1)),
        method="percentile",
        n_resamples=20_000,
        rng=np.random.default_rng(1),
    ).confidence_interval
    width = scipys.high - scipys.low
    assert ours.low == pytest.approx(scipys.low, abs=0.03 * width)
    assert ours.high == pytest.approx(scipys.high, abs=0.03 * width)


def test_interval_of_two_runs_is_exact():
    """The resampled mean of 0 and 1 is 0, 1/2 or 1 with chances 1/4, 1/2, 1/4."""
    scores = np.array([[0.0], [1.0]])
    assert (estimate(scores, mean).low, estimate(scores, mean).high) == (0.0, 1.0)
    half = estimate(scores, mean, Bootstrap(level=0.4))
    assert (half.low, half.high) == (0.5, 0.5)


def test_only_seeds_are_resampled():
    """Tasks that differ a million times more than seeds must not widen the interval."""
    found = estimate(np.array([[0.0, 1e6], [1.0, 1e6 + 1]]), mean)
    assert 500_000 <= found.low <= found.high <= 500_001


@pytest.mark.parametrize("seeds", [3, 10])
def test_coverage_is_what_the_docstring_says(seeds):
    """Nominal 95 % becomes 2 Φ(1.96 √((N-1)/N)) - 1 for means of many normal runs."""
    how = Bootstrap(resamples=400)
    found = [estimate(normal_scores(seeds, 16, seed), mean, how) for seed in range(1000)]
    covered = np.mean([each.low <= 0 <= each.high for each in found])
    expected = 2 * norm.cdf(1.96 * np.sqrt((seeds - 1) / seeds)) - 1
    assert covered == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize("statistic", STATISTICS)
@given(scores=unit_scores())
def test_interval_stays_in_the_range_of_scores(statistic, scores):
    found = estimate(scores, statistic, Bootstrap(resamples=50))
    if len(scores) == 1:
        assert np.isnan([found.low, found.high]).all()
        assert found.kind == "no interval: one seed a task"
    else:
        assert -1e-12 <= found.low <= found.high <= 1 + 1e-12
    assert found.n == scores.size


def test_seed_makes_the_interval():
    scores = normal_scores(8, 4)
    assert estimate(scores) == estimate(scores)
    assert estimate(scores).low != estimate(scores, how=Bootstrap(seed=1)).low
    assert estimate(scores).value == estimate(scores, how=Bootstrap(seed=1)).value


def test_all_resamples_are_one_call_of_the_statistic():
    """Which is what makes a table of ten methods quick: 2000 calls each would not be."""
    asked = []

    def counted(scores):
        asked.append(scores.shape)
        return iqm(scores)

    assert estimate(normal_scores(8, 5), counted) == estimate(normal_scores(8, 5), iqm)
    assert sorted(asked) == [(8, 5), (2000, 8, 5)]


def test_higher_level_is_wider():
    scores = normal_scores(8, 4)
    narrow, wide = (estimate(scores, iqm, Bootstrap(level=level)) for level in (0.8, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_kind_says_what_the_interval_is():
    how = Bootstrap(resamples=500, level=0.9, seed=7)
    text = "90 % percentile bootstrap over the 8 seeds of each task (500 resamples, seed 7)"
    assert estimate(normal_scores(8, 4), how=how).kind == text


@pytest.mark.parametrize("seeds", [2, 3, 4])
@pytest.mark.parametrize("tasks", [1, 2])
def test_an_interval_that_can_only_be_the_range_is_called_so(seeds, tasks):
    """Its ends are the means over tasks of the worst and the best seed, and it says so just then."""
    scores = normal_scores(seeds, tasks)
    found = estimate(scores, mean)
    ends = (scores.min(axis=0).mean(), scores.max(axis=0).mean())
    assert ("range of the" in found.kind) == ((found.low, found.high) == pytest.approx(ends))
    assert ("range of the" in found.kind) == (seeds ** -(seeds * tasks) > 0.025)


def test_both_ways_to_resample_agree():
    """Indices and counts are two forms of the same resample: N draws a task, each run as likely."""
    how, seeds, tasks = Bootstrap(resamples=20_000), 4, 2
    counts = how.counts(seeds, tasks, rng=np.random.default_rng(0))
    drawn = (how.indices(seeds, tasks)[..., None] == np.arange(seeds)).sum(1)
    for each in (counts, drawn):
        assert (each.sum(-1) == seeds).all()
        assert each.mean(0) == pytest.approx(1.0, abs=0.03)
        assert each.var(0) == pytest.approx(1 - 1 / seeds, abs=0.03)


@pytest.mark.parametrize("settings", [{"resamples": 0}, {"level": 0.0}, {"level": 1.0}, {"level": 95.0}])
def test_settings_that_give_no_interval_are_refused(settings):
    with pytest.raises(ScoresError, match="no interval"):
        Bootstrap(**settings)
