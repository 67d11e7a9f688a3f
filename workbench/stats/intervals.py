"""Intervals: stratified bootstrap over training seeds, Wilson score over episodes."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from workbench.stats.estimate import Estimate, ScoresError

NO_INTERVAL = "no interval: one seed a task"


@dataclass(frozen=True)
class Bootstrap:
    r"""Percentile intervals by the stratified bootstrap: in each task (stratum), seeds are drawn with replacement.

    With $\theta^*_1, \dots, \theta^*_B$ the statistic of `resamples` = B resampled score arrays, the interval is
    $$[\theta^*_{((1-\ell)/2)},\; \theta^*_{((1+\ell)/2)}], \qquad \ell = \text{level}.$$
    Agarwal et al. 2021 (arXiv 2108.13264), after Efron 1979. The tasks are fixed: the interval speaks of other training
    seeds, not of other tasks. With N seeds a task it is about $\sqrt{(N-1)/N}$ as wide as it should be, so at three
    seeds a 95 % interval holds the truth less often than 95 times in 100; and where all seeds of each task score alike
    it has no width, however few they are. `seed` starts a Generator of each interval's own: equal scores give equal
    intervals. Raises `ScoresError` for settings that give no interval.
    """

    resamples: int = 2000
    level: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        if self.resamples < 1 or not 0 < self.level < 1:
            raise ScoresError(
                f"a bootstrap of {self.resamples} resamples at level {self.level:g} is no interval: "
                "use one or more resamples and a level between 0 and 1."
            )

    def kind(self, *seeds: int, tasks: int = 1) -> str:
        r"""What an interval is, in words for a caption, from the number of runs a task of each agent in it.

        All N seeds of each of M tasks are the worst one in a share $N^{-NM}$ of the resamples. Where that is more than
        $(1-\ell)/2$ the interval of a mean ends at the worst and at the best seed, whatever the level: it is a range,
        and named so. At 95 % these are two or three seeds of one task, and two seeds of two.
        """
        if min(seeds) < 2:
            return NO_INTERVAL
        numbers = " and ".join(str(number) for number in dict.fromkeys(seeds))
        if math.prod(number ** -(number * tasks) for number in seeds) > (1 - self.level) / 2:
            return f"range of the {numbers} seeds{' of each task' if tasks > 1 else ''}"
        return (
            f"{100 * self.level:g} % percentile bootstrap over the {numbers} seeds of each task "
            f"({self.resamples} resamples, seed {self.seed})"
        )

    def indices(self, seeds: int, tasks: int) -> Int[np.ndarray, "batch seed task"]:
        """Rows to take in each resample, task by task."""
        return np.random.default_rng(self.seed).integers(seeds, size=(self.resamples, seeds, tasks))

    def counts(self, seeds: int, tasks: int, *, rng: np.random.Generator) -> Float[np.ndarray, "batch task seed"]:
        """How often each resample takes each run: all that a statistic linear in the runs needs of it."""
        return rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=(self.resamples, tasks)).astype(float)

    def interval(
        self, samples: Float[np.ndarray, "batch *grid"], seeds: int
    ) -> tuple[Float[np.ndarray, "*grid"], Float[np.ndarray, "*grid"]]:
        """Lower and upper end from the resampled statistic; nan where `seeds` = 1 left nothing to resample."""
        if seeds < 2:
            nothing = np.full(samples.shape[1:], np.nan)
            return nothing, nothing
        ends = np.quantile(samples, [(1 - self.level) / 2, (1 + self.level) / 2], axis=0)
        return np.asarray(ends[0]), np.asarray(ends[1])

    def estimate(self, value: float, samples: Float[np.ndarray, " batch"], n: int, *seeds: int) -> Estimate:
        """A value of `n` runs with the interval of its resamples; `seeds` as in `kind`."""
        low, high = self.interval(samples, min(seeds))
        return Estimate(float(value), float(low), float(high), n, self.kind(*seeds, tasks=n // sum(seeds)))


DEFAULT = Bootstrap()


def wilson(successes: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    r"""Wilson score interval of a success rate; 95 % by default.

    $$\frac{\hat p + z^2/2n \pm z\sqrt{\hat p(1-\hat p)/n + z^2/4n^2}}{1 + z^2/n}$$

    Wilson 1927. Stays inside [0, 1] and is sensible at 0 and n successes. Raises `ScoresError` unless
    0 ≤ successes ≤ n and n > 0.
    """
    if not 0 <= successes <= n or n == 0:
        raise ScoresError(f"{successes} successes of {n} trials is no rate.")
    p = successes / n
    centre, spread = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def success_rate(successes: int, n: int) -> Estimate:
    """Share of `n` episodes that succeeded, in [0, 1], with its 95 % Wilson interval.

    Episodes count as independent: right for one trained network, and silent about other training seeds.
    Raises `ScoresError` as `wilson` does.
    """
    low, high = wilson(successes, n)
    return Estimate(successes / n, low, high, n, "95 % Wilson interval over episodes")
