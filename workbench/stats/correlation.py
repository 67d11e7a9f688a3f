"""Rank correlation of numbers that come in episodes, with an interval over episodes."""

import numpy as np
from jaxtyping import Float, Int, Shaped

from workbench.stats.estimate import Estimate, ScoresError
from workbench.stats.intervals import DEFAULT, Bootstrap

UNDEFINED = "no rank correlation: one side is constant"


def rank_correlation(
    x: Float[np.ndarray, " row"],
    y: Float[np.ndarray, " row"],
    episode: Shaped[np.ndarray, " row"],
    how: Bootstrap = DEFAULT,
) -> Estimate:
    r"""Spearman's rank correlation of `x` and `y`, in [-1, 1], with a bootstrap interval over episodes.

    $$\rho = \frac{\mathrm{cov}(R_x, R_y)}{\sigma(R_x)\, \sigma(R_y)}, \qquad R = \text{rank, ties share their mean}$$

    Spearman 1904; it sees order alone, so any increasing function of either side gives the same. Steps of one episode
    resemble each other, and an interval that resampled steps would be far too narrow: here whole episodes (equal values
    of `episode`) are drawn with replacement, and ranks are taken anew in every resample. Resamples with a constant side
    are left out. `n` counts episodes. Where a side is constant all is nan, and `kind` says so; one episode gives no
    interval. Raises `ScoresError` for fewer than two rows, and for values that are not finite.
    """
    if len(x) < 2:
        raise ScoresError(f"no rank correlation of {len(x)} pairs: give two or more.")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ScoresError("no rank correlation of values that are not finite: leave those rows out.")
    rank_x, rank_y = (np.unique(side, return_inverse=True)[1] for side in (x, y))
    names, episode = np.unique(episode, return_inverse=True)
    value, n = _weighted(rank_x, rank_y, np.ones(len(x))), len(names)
    if np.isnan(value):
        return Estimate(value, value, value, n, UNDEFINED)
    if n < 2:
        return Estimate(value, np.nan, np.nan, n, "no interval: one episode")
    counts = how.counts(n, 1, rng=np.random.default_rng(how.seed))[:, 0]
    samples = np.array([_weighted(rank_x, rank_y, count[episode]) for count in counts])
    low, high = how.interval(samples[~np.isnan(samples)], n)
    kind = f"{100 * how.level:g} % percentile bootstrap over {n} episodes ({how.resamples} resamples, seed {how.seed})"
    return Estimate(value, float(low), float(high), n, kind)


def _weighted(x: Int[np.ndarray, " row"], y: Int[np.ndarray, " row"], weight: Float[np.ndarray, " row"]) -> float:
    """Spearman's correlation where row i is there `weight[i]` times; x and y number the distinct values in order."""
    ranks = []
    for side in (x, y):
        mass = np.bincount(side, weight)
        rank = (np.cumsum(mass) - mass / 2)[side]
        ranks.append(rank - np.average(rank, weights=weight))
    spread = np.sqrt(np.prod([weight @ rank**2 for rank in ranks]))
    return float(weight @ (ranks[0] * ranks[1]) / spread) if spread > 1e-9 * weight.sum() else float("nan")
