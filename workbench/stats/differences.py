"""Differences of success rates from counts, where trainings are few: an interval, a mean, the least of several."""

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import TypeAlias

import numpy as np
from scipy.special import stdtrit

from workbench.stats.comparisons import paired_difference
from workbench.stats.estimate import Estimate, ScoresError
from workbench.stats.intervals import Bootstrap, wilson

LEVEL = 0.95
ONE_SEED = "one training seed: the interval covers episodes, not trainings"

Counts: TypeAlias = Mapping[int, tuple[int, int]]
"""Successes and episodes of each training seed."""


def rate_difference(a: tuple[int, int], b: tuple[int, int], level: float = LEVEL) -> Estimate:
    r"""Rate of `a` minus rate of `b`, each (successes, episodes), with Newcombe's interval.

    $$\hat p_a - \hat p_b \;{}^{+\sqrt{(u_a - \hat p_a)^2 + (\hat p_b - l_b)^2}}
      _{-\sqrt{(\hat p_a - l_a)^2 + (u_b - \hat p_b)^2}}, \qquad [l, u] \text{ the Wilson intervals}$$

    Newcombe 1998, method 10. Episodes count as independent; `n` counts those of both. Raises `ScoresError` as `wilson`.
    """
    z = NormalDist().inv_cdf((1 + level) / 2)
    (low_a, high_a), (low_b, high_b) = wilson(*a, z), wilson(*b, z)
    p_a, p_b = a[0] / a[1], b[0] / b[1]
    low, high = math.hypot(p_a - low_a, high_b - p_b), math.hypot(high_a - p_a, p_b - low_b)
    kind = f"{100 * level:g} % Newcombe interval over episodes"
    ends = max(-1.0, p_a - p_b - low), min(1.0, p_a - p_b + high)
    return Estimate(p_a - p_b, *ends, a[1] + b[1], kind)


def success_difference(a: Counts, b: Counts, level: float = LEVEL) -> Estimate:
    """Mean success of `a` minus that of `b` over the training seeds that both have, each seed counting the same.

    The interval is the least that holds both Newcombe's, of all episodes, and the paired bootstrap's, over seeds. With
    one seed only the former is there; with two or three the latter is their range. `kind` says which; `n` counts
    episodes. Raises `ScoresError` when no seed is common.
    """
    seeds = sorted(set(a) & set(b))
    if not seeds:
        raise ScoresError(f"no training seed is common to {sorted(a)} and {sorted(b)}: nothing can be compared.")
    rates = [np.array([[side[seed][0] / side[seed][1]] for seed in seeds]) for side in (a, b)]
    sums = [(sum(side[seed][0] for seed in seeds), sum(side[seed][1] for seed in seeds)) for side in (a, b)]
    over_seeds = paired_difference(rates[0], rates[1], how=Bootstrap(level=level))
    episodes, value = rate_difference(sums[0], sums[1], level), over_seeds.value
    low, high = value + episodes.low - episodes.value, value + episodes.high - episodes.value
    if len(seeds) == 1:
        return Estimate(value, low, high, episodes.n, ONE_SEED)
    kind = f"covers episodes and {len(seeds)} training seeds"
    if over_seeds.kind.startswith("range"):
        kind = (
            f"{len(seeds)} training seeds: the interval reaches to each of them, and is no interval over all trainings"
        )
    return Estimate(value, min(low, over_seeds.low), max(high, over_seeds.high), episodes.n, kind)


def mean_of(parts: Sequence[Estimate]) -> Estimate:
    r"""The mean of independent estimates, whose distances to the ends of their intervals add up in squares.

    $$\bar\theta - \tfrac1S \sqrt{\textstyle\sum_s (\theta_s - l_s)^2}, \qquad
      \bar\theta + \tfrac1S \sqrt{\textstyle\sum_s (u_s - \theta_s)^2}$$

    Zou and Donner 2008. `n` is the sum of theirs, `kind` lists theirs. Raises `ScoresError` for none.
    """
    if not parts:
        raise ScoresError("no mean of no estimates: give one or more.")
    value = sum(part.value for part in parts) / len(parts)
    low = math.hypot(*(part.value - part.low for part in parts)) / len(parts)
    high = math.hypot(*(part.high - part.value for part in parts)) / len(parts)
    kinds = "; ".join(dict.fromkeys(part.kind for part in parts))
    return Estimate(value, value - low, value + high, sum(part.n for part in parts), kinds)


def least_of(parts: Sequence[Estimate], corrected: Sequence[Estimate]) -> Estimate:
    """The least of several differences: how far something leads the best of its rivals.

    The lower end is the least lower end: the lead over every rival must be shown, and needs no correction (a test of a
    union). The upper end is the least of `corrected`, the same differences at a level of `corrected_level`: any one
    rival may refute. Raises `ScoresError` for none, or for lists of other lengths.
    """
    if not parts or len(parts) != len(corrected):
        raise ScoresError(f"no least of {len(parts)} differences and {len(corrected)} corrected ones.")
    least = min(parts, key=lambda part: part.value)
    low, high = min(part.low for part in parts), min(part.high for part in corrected)
    kinds = "; ".join(dict.fromkeys(part.kind for part in parts))
    return Estimate(least.value, low, high, least.n, kinds)


def corrected_level(count: int, level: float = LEVEL) -> float:
    """The level of each of `count` intervals that all hold together at `level` (Bonferroni)."""
    return 1 - (1 - level) / count


def student(values: Sequence[float], level: float = LEVEL) -> Estimate:
    """Mean of independent values with Student's interval: right for few that are about normal, and wide where it must.

    One value gives no interval (nan). Raises `ScoresError` for none.
    """
    if not len(values):
        raise ScoresError("no mean of no values: give one or more.")
    found = np.asarray(values, float)
    if len(found) == 1:
        return Estimate(float(found[0]), math.nan, math.nan, 1, "no interval: one value")
    half = float(stdtrit(len(found) - 1, (1 + level) / 2) * found.std(ddof=1) / math.sqrt(len(found)))
    centre, kind = float(found.mean()), f"{100 * level:g} % Student interval of {len(found)} values"
    return Estimate(centre, centre - half, centre + half, len(found), kind)
