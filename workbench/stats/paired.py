"""Two ways of playing the same starts: the difference of their success, its test, and many tests at once."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import binomtest

from workbench.stats.comparisons import paired_difference
from workbench.stats.estimate import Estimate, ScoresError
from workbench.stats.intervals import DEFAULT, Bootstrap


def success_gain(a: Bool[np.ndarray, " start"], b: Bool[np.ndarray, " other"], how: Bootstrap = DEFAULT) -> Estimate:
    """Success of `a` minus success of `b`, of which every pair began alike; starts are resampled together.

    Raises `ScoresError` for unequal or no starts.
    """
    if a.shape != b.shape or not a.size:
        raise ScoresError(f"{a.size} and {b.size} episodes cannot be paired: keep the starts that both have played.")
    return paired_difference(a[:, None].astype(float), b[:, None].astype(float), how=how)


def mcnemar(a: Bool[np.ndarray, " start"], b: Bool[np.ndarray, " start"]) -> float:
    r"""The p-value of no difference, exact and two-sided: where one succeeds and the other fails, a fair coin decides.

    $$p = \Pr\big[\,|X - \tfrac k2| \ge |x - \tfrac k2|\,\big], \qquad X \sim \mathrm{Bin}(k, \tfrac12)$$

    with x of the k starts on which they differ won by `a`. McNemar 1947; 1 where they never differ.
    """
    differ = int((a != b).sum())
    return float(binomtest(int((a & ~b).sum()), differ).pvalue) if differ else 1.0


def holm(p: Sequence[float]) -> Float[np.ndarray, " test"]:
    r"""p-values of many tests together: those at most α are differences, with any false one among them at most α often.

    $$\tilde p_{(i)} = \max_{j \le i}\, \min\big(1, (m - j + 1)\, p_{(j)}\big)$$

    in rising order of the m values. Holm 1979.
    """
    values = np.asarray(p, float)
    order = np.argsort(values, kind="stable")
    raised = np.minimum(1.0, values[order] * np.arange(len(values), 0, -1))
    found = np.empty_like(values)
    found[order] = np.maximum.accumulate(raised) if len(values) else raised
    return found
