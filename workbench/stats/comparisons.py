"""One agent against another: probability of improvement, paired differences."""

import numpy as np
from jaxtyping import Float

from workbench.stats.aggregates import mean
from workbench.stats.estimate import Estimate, ScoresError, Statistic, check_scores
from workbench.stats.intervals import DEFAULT, Bootstrap


def probability_of_improvement(
    a: Float[np.ndarray, "seed task"], b: Float[np.ndarray, "other task"], how: Bootstrap = DEFAULT
) -> Estimate:
    r"""How likely a run of `a` scores more than a run of `b` on a task drawn at random; in [0, 1], ties count half.

    $$\frac1M \sum_m \frac{1}{NK} \sum_{n,k} \mathbb 1[a_{nm} > b_{km}] + \tfrac12 \mathbb 1[a_{nm} = b_{km}]$$

    Agarwal et al. 2021 (arXiv 2108.13264): the Mann-Whitney U of each task over NK, averaged. Swapping a and b gives
    one minus it. It ignores how much better a run is. Seeds of a and b are resampled apart and may differ in number;
    tasks are the same and in the same order. `n` counts the runs of both. Raises `ScoresError` for other tasks in
    number, or scores that are empty, not finite or not of shape (seed, task).
    """
    check_scores(a)
    check_scores(b)
    if a.shape[1] != b.shape[1]:
        raise ScoresError(f"{a.shape[1]} tasks cannot be compared with {b.shape[1]}: keep those that both agents have.")
    tasks, pairs = a.shape[1], len(a) * len(b) * a.shape[1]
    wins = (np.sign(a.T[:, :, None] - b.T[:, None, :]) + 1) / 2
    rng = np.random.default_rng(how.seed)
    of_a, of_b = (how.counts(len(scores), tasks, rng=rng) for scores in (a, b))
    samples = (np.einsum("btn,tnk->btk", of_a, wins) * of_b).sum((1, 2)) / pairs
    return how.estimate(wins.sum() / pairs, samples, a.size + b.size, len(a), len(b))


def paired_difference(
    a: Float[np.ndarray, "seed task"],
    b: Float[np.ndarray, "seed task"],
    statistic: Statistic = mean,
    how: Bootstrap = DEFAULT,
) -> Estimate:
    r"""A statistic of `a` minus that of `b`, runs of the same seed and task resampled together.

    $$T(a) - T(b), \qquad \text{with resamples } T(a^*) - T(b^*) \text{ of the same rows in } a^* \text{ and } b^*$$

    For the mean this is the mean of the paired differences. What common seeds share (data, initial states, noise)
    cancels, so the interval is narrower than that of unrelated runs; `matched` makes such arrays from tables. `n`
    counts the pairs. Raises `ScoresError` for arrays of different shape, and scores that are empty, not finite or not
    of shape (seed, task).
    """
    check_scores(a)
    check_scores(b)
    if a.shape != b.shape:
        raise ScoresError(f"scores of shapes {a.shape} and {b.shape} cannot be paired: keep common seeds with matched.")
    seeds, tasks = a.shape
    rows = how.indices(seeds, tasks), np.arange(tasks)
    samples = np.asarray(statistic(a[rows])) - np.asarray(statistic(b[rows]))
    return how.estimate(float(statistic(a) - statistic(b)), samples, a.size, seeds)
