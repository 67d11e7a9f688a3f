"""One number for many runs: mean, median, interquartile mean, optimality gap.

Scores have shape (seed, task), normalised so that tasks can be pooled: success rates in [0, 1], say. Axes before those
two are kept, which is how the bootstrap computes all its resamples in one call.
"""

import numpy as np
from jaxtyping import Float

from workbench.stats.estimate import Estimate, Statistic, check_scores
from workbench.stats.intervals import DEFAULT, NO_INTERVAL, Bootstrap

Scores = Float[np.ndarray, "*batch seed task"]
Value = Float[np.ndarray, "*batch"] | Float[np.floating, ""]


def mean(scores: Scores) -> Value:
    r"""Mean over all runs, $\frac{1}{NM}\sum_{n,m} x_{nm}$; between the least and the greatest score."""
    return scores.mean((-2, -1))


def median(scores: Scores) -> Value:
    r"""Median over tasks of the mean over seeds, $\mathrm{median}_m \frac1N \sum_n x_{nm}$; range of the scores.

    The field's "median" (Agarwal et al. 2021), which is not the median of all runs.
    """
    return np.median(scores.mean(-2), axis=-1)


def iqm(scores: Scores) -> Value:
    r"""Interquartile mean: the mean of the runs that are left without the lowest and the highest quarter.

    $$\frac{1}{K - 2c}\sum_{k=c+1}^{K-c} x_{(k)}, \qquad K = NM, \quad c = \lfloor K/4 \rfloor$$

    Agarwal et al. 2021 (arXiv 2108.13264). Runs of all tasks are sorted together, so the middle half may hold few runs
    of a task that is always solved or never. Range of the scores.
    """
    pooled = np.sort(scores.reshape(*scores.shape[:-2], -1), axis=-1)
    cut = pooled.shape[-1] // 4
    return pooled[..., cut : pooled.shape[-1] - cut].mean(-1)


def optimality_gap(scores: Scores, goal: float = 1.0) -> Value:
    r"""How far runs stay below `goal` on average, $\gamma - \frac{1}{NM}\sum_{n,m}\min(x_{nm}, \gamma)$; at least 0.

    Agarwal et al. 2021 (arXiv 2108.13264). Lower is better; what a run scores beyond the goal γ does not count.
    """
    return np.maximum(goal - scores, 0.0).mean((-2, -1))


def estimate(scores: Float[np.ndarray, "seed task"], statistic: Statistic = iqm, how: Bootstrap = DEFAULT) -> Estimate:
    """A statistic of the runs with its stratified bootstrap interval; `n` counts the runs.

    `statistic` is one of this module or any function of the last two axes. Raises `ScoresError` for scores that are
    empty, not finite or not of shape (seed, task).
    """
    check_scores(scores)
    seeds, tasks = scores.shape
    samples = statistic(scores[how.indices(seeds, tasks), np.arange(tasks)])
    return how.estimate(float(statistic(scores)), np.asarray(samples), scores.size, seeds)


def mean_and_sd(scores: Float[np.ndarray, "seed task"]) -> Estimate:
    r"""Mean over all runs ± the standard deviation over seeds of the mean over tasks, as published tables give it.

    $$\bar x \pm \sqrt{\tfrac{1}{N-1}\textstyle\sum_n (\bar x_n - \bar x)^2}, \qquad \bar x_n = \tfrac1M \sum_m x_{nm}$$

    The spread of runs, not the error of their mean: it does not shrink with more seeds. Raises `ScoresError` as
    `estimate` does.
    """
    check_scores(scores)
    seeds, centre = len(scores), float(scores.mean())
    if seeds < 2:
        return Estimate(centre, np.nan, np.nan, scores.size, NO_INTERVAL)
    sd = float(scores.mean(1).std(ddof=1))
    return Estimate(centre, centre - sd, centre + sd, scores.size, f"± 1 standard deviation over {seeds} seeds")
