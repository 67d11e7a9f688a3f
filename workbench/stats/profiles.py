"""Performance profiles: the whole distribution of scores, instead of one number."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from workbench.stats.estimate import check_scores
from workbench.stats.intervals import DEFAULT, Bootstrap


@dataclass(frozen=True)
class Profile:
    """Share of runs above each threshold `tau`, with a pointwise band; `n` and `kind` as in an `Estimate`."""

    tau: Float[np.ndarray, " grid"]
    value: Float[np.ndarray, " grid"]
    low: Float[np.ndarray, " grid"]
    high: Float[np.ndarray, " grid"]
    n: int
    kind: str


def performance_profile(
    scores: Float[np.ndarray, "seed task"], tau: Float[np.ndarray, " grid"], how: Bootstrap = DEFAULT
) -> Profile:
    r"""Run-score distribution: the share of runs, over tasks and seeds, that score more than τ; in [0, 1].

    $$\hat F(\tau) = \frac1M \sum_m \frac1N \sum_n \mathbb 1[x_{nm} > \tau]$$

    Agarwal et al. 2021 (arXiv 2108.13264). Never rises with τ; an agent whose profile lies above another's everywhere
    dominates it, and where profiles cross neither does. The band is pointwise: it holds at each τ, not at all τ
    together. Raises `ScoresError` for scores that are empty, not finite or not of shape (seed, task).
    """
    check_scores(scores)
    seeds, tasks = scores.shape
    above = scores.T.reshape(-1, 1) > tau
    counts = how.counts(seeds, tasks, rng=np.random.default_rng(how.seed))
    samples = counts.reshape(how.resamples, -1) @ above.astype(float) / scores.size
    low, high = how.interval(samples, seeds)
    return Profile(tau, above.mean(0), low, high, scores.size, how.kind(seeds, tasks=tasks))
