"""Rank correlation: scipy's value, exact invariances, and an interval that knows about episodes."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from workbench.stats import Bootstrap, ScoresError
from workbench.stats.correlation import rank_correlation

QUICK = Bootstrap(resamples=100)


def scipys(x: np.ndarray, y: np.ndarray) -> float:
    found: Any = spearmanr(x, y)
    return found.statistic


def episodes_of(number: int, length: int, seed: int, slope: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs that are almost constant within an episode, correlated only by `slope`."""
    rng = np.random.default_rng(seed)
    episode = np.repeat(np.arange(number), length)
    level = rng.normal(size=(2, number))
    x, y = level[:, episode] + 0.01 * rng.normal(size=(2, number * length))
    return x, y + slope * x, episode


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=3, max_size=40))
def test_value_is_scipys_with_ties(pairs):
    x, y = np.array(pairs, float).T
    found = rank_correlation(x, y, np.arange(len(x)), QUICK)
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        assert np.isnan([found.value, found.low, found.high]).all()
        assert found.kind == "no rank correlation: one side is constant"
    else:
        assert found.value == pytest.approx(scipys(x, y), abs=1e-12)


def test_a_resample_has_the_ranks_of_the_rows_it_repeats():
    """The interval equals that of scipy's correlation of rows that are really repeated."""
    x, y, episode = episodes_of(6, 5, seed=1, slope=1.0)
    how = Bootstrap(resamples=50, seed=3)
    samples = []
    for count in how.counts(6, 1, rng=np.random.default_rng(3))[:, 0]:
        rows = np.repeat(np.arange(30), count[episode].astype(int))
        samples.append(scipys(x[rows], y[rows]))
    found = rank_correlation(x, y, episode, how)
    assert (found.low, found.high) == pytest.approx(np.quantile(samples, [0.025, 0.975]), abs=1e-12)


def test_only_order_counts():
    x, y, episode = episodes_of(10, 4, seed=2, slope=0.5)
    assert rank_correlation(np.exp(3 * x), y**3, episode, QUICK) == rank_correlation(x, y, episode, QUICK)
    assert rank_correlation(x, x, episode, QUICK).value == pytest.approx(1.0)
    assert rank_correlation(x, -x, episode, QUICK).low == pytest.approx(-1.0)


def test_interval_covers_only_when_episodes_are_resampled():
    """20 episodes of 15 almost equal steps, uncorrelated: 95 % should hold 0 about as often, and steps never could."""

    def covered(seed: int, by_episode: bool) -> bool:
        x, y, episode = episodes_of(20, 15, seed)
        found = rank_correlation(x, y, episode if by_episode else np.arange(300), QUICK)
        return found.low <= 0 <= found.high

    assert np.mean([covered(seed, True) for seed in range(80)]) > 0.88
    assert np.mean([covered(seed, False) for seed in range(80)]) < 0.6


def test_words_and_numbers_of_the_estimate():
    x, y, episode = episodes_of(12, 3, seed=0)
    found = rank_correlation(x, y, episode, Bootstrap(resamples=40, level=0.9, seed=7))
    assert found.n == 12
    assert found.kind == "90 % percentile bootstrap over 12 episodes (40 resamples, seed 7)"
    one = rank_correlation(x, y, np.zeros(36))
    assert one.value == found.value
    assert np.isnan([one.low, one.high]).all()
    assert one.kind == "no interval: one episode"


@pytest.mark.parametrize(("x", "y"), [([1.0], [1.0]), ([1.0, np.nan], [1.0, 2.0])])
def test_what_has_no_ranks_is_refused(x, y):
    with pytest.raises(ScoresError, match="no rank correlation"):
        rank_correlation(np.array(x), np.array(y), np.zeros(len(x)))
