"""W2 between a policy and the data's behaviour at fixed observations of a real task, where no law is known.

No observation of a continuous task occurs twice, so the behaviour at x is stood in for by the actions that the data
took near x. They come in two halves A and B, and the policy gives as many for each: W2 between policy and data is
compared with W2 within the data and within the policy, by the same estimate at the same sample size.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from workbench.data.dataset import Dataset
from workbench.errors import UnknownNameError, WorkbenchError
from workbench.stats.estimate import Estimate
from workbench.stats.intervals import DEFAULT, Bootstrap
from workbench.theory.wasserstein import wasserstein_2

VARIANTS = ("at neighbours", "at x")
"""Where the policy is asked for its actions: at the neighbours' own observations, or at the held-out one."""

BLOCK = 16
"""Held-out observations whose distances to all rows are in memory together."""

PerQuery = Float[np.ndarray, " query"]


@dataclass(frozen=True)
class ActionSets:
    """Data near each held-out observation `x`, in random order: the first half of its k rows is A, the other is B.

    `x_near` and `a_near` are the neighbours' observations and actions; `radius` is the distance of the farthest, in
    standard deviations of the data (Euclidean, every dimension divided by its own).
    """

    x: Float[np.ndarray, "query obs"]
    x_near: Float[np.ndarray, "query k obs"]
    a_near: Float[np.ndarray, "query k act"]
    radius: PerQuery

    def policy_observations(self, variant: str) -> Float[np.ndarray, "query k obs"]:
        """Observations at which to draw the policy's actions, one action each.

        "at neighbours" takes the neighbours' own: policy and data then share the spread of observations, and a policy
        that is the behaviour has nothing left over, whatever the radius. "at x" repeats x: what the radius adds is in
        it, such as a behaviour that changes within it. Raises `UnknownNameError` for another name.
        """
        if variant == "at neighbours":
            return self.x_near
        if variant == "at x":
            return np.repeat(self.x[:, None], self.x_near.shape[1], axis=1)
        raise UnknownNameError("variant", variant, VARIANTS)

    @cached_property
    def within(self) -> PerQuery:
        """Squared W2 between A and B, at each x."""
        return _squared(*_halves(self.a_near))


@dataclass(frozen=True)
class ActionDistance:
    """Squared W2 at each held-out observation, in squared action units; all between samples of one size.

    `between` policy and data (the mean of policy against B and against A), `data` between A and B, and `policy`
    between the policy's own halves.
    """

    between: PerQuery
    data: PerQuery
    policy: PerQuery

    def excess(self, how: Bootstrap = DEFAULT) -> Estimate:
        r"""W2 between policy and data without what two samples of one law would give, in action units.

        $$\mathrm{sign}(d)\, \sqrt{|d|}, \qquad
          d = \frac1{2n} \sum_i \Big( W_2^2(P_i, B_i) + W_2^2(P'_i, A_i) - W_2^2(A_i, B_i) - W_2^2(P_i, P'_i) \Big)$$

        Debiased as Sinkhorn divergences are (Genevay et al. 2018), here without entropy. In expectation d is 0 for a
        policy that is the behaviour, and |δ|² for one moved by δ, at any sample size. Without the policy's own term, a
        policy that spreads too little can score below the behaviour itself. Other differences count in part only,
        the less the smaller the samples. Small negative values are noise. The interval resamples held-out observations.
        """
        d = self.between - (self.data + self.policy) / 2
        samples = d[how.indices(len(d), 1)[..., 0]].mean(axis=1)
        low, high = how.interval(_signed_root(samples), len(d))
        kind = (
            f"{100 * how.level:g} % percentile bootstrap over {len(d)} held-out observations "
            f"({how.resamples} resamples, seed {how.seed})"
        )
        return Estimate(float(_signed_root(d.mean())), float(low), float(high), len(d), kind)


def compare(sets: ActionSets, a: Float[np.ndarray, "query k act"]) -> ActionDistance:
    """The policy's actions, one for each of `sets.policy_observations`, against the data's."""
    ours, theirs = _halves(a), _halves(sets.a_near)
    between = (_squared(ours[0], theirs[1]) + _squared(ours[1], theirs[0])) / 2
    return ActionDistance(between, sets.within, _squared(*ours))


def action_sets(data: Dataset, x: Float[np.ndarray, "query obs"], k: int, *, rng: np.random.Generator) -> ActionSets:
    """The k nearest rows of `data` to each x, each from an episode of its own, halved at random.

    Rows that follow each other are near each other in observation and in action: several from one episode would make A
    and B alike for that reason alone. An episode is an unbroken stretch of transitions. x must come from held-out
    episodes, for the same reason. Raises `WorkbenchError` unless k is even and there are k episodes.
    """
    rows, starts = _episodes(data)
    if k < 2 or k % 2 or k > len(starts):
        raise WorkbenchError(
            f"{k} neighbours cannot be halved or found: give an even number of at most {len(starts)}, the number of "
            "episodes in the data."
        )
    observations, actions = np.asarray(data.x)[rows], np.asarray(data.a)[rows]
    scale = observations.std(axis=0, dtype=np.float64)
    scale[scale == 0] = 1.0
    nearest, radius = _nearest(observations / scale, starts, x / scale, k)
    nearest = rng.permuted(nearest, axis=1)
    return ActionSets(x, observations[nearest], actions[nearest], radius)


def _halves(
    a: Float[np.ndarray, "query k act"],
) -> tuple[Float[np.ndarray, "query half act"], Float[np.ndarray, "query half act"]]:
    half = a.shape[1] // 2
    return a[:, :half], a[:, half:]


def _squared(a: Float[np.ndarray, "query half act"], b: Float[np.ndarray, "query half act"]) -> PerQuery:
    return np.array([wasserstein_2(ours, theirs) ** 2 for ours, theirs in zip(a, b, strict=True)])


def _signed_root(d: np.ndarray | np.floating) -> np.ndarray:
    return np.asarray(np.sign(d) * np.sqrt(np.abs(d)))


def _episodes(data: Dataset) -> tuple[Int[np.ndarray, " valid"], Int[np.ndarray, " episode"]]:
    """Rows with a successor, and where among these each episode starts."""
    rows = np.asarray(data.index)
    return rows, np.concatenate([[0], 1 + np.flatnonzero(np.diff(rows) != 1)])


def _nearest(
    rows: Float[np.ndarray, "valid obs"], starts: Int[np.ndarray, " episode"], x: Float[np.ndarray, "query obs"], k: int
) -> tuple[Int[np.ndarray, "query k"], PerQuery]:
    """The nearest row of each of the k nearest episodes, and the distance of the farthest of them."""
    from scipy.spatial.distance import cdist

    stops = np.append(starts[1:], len(rows))
    found, radius = [], []
    for first in range(0, len(x), BLOCK):
        for distances in cdist(x[first : first + BLOCK], rows):
            nearest = np.minimum.reduceat(distances, starts)
            chosen = np.argpartition(nearest, k - 1)[:k]
            found.append([starts[e] + distances[starts[e] : stops[e]].argmin() for e in chosen])
            radius.append(nearest[chosen].max())
    return np.array(found), np.array(radius)
