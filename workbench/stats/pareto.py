"""The Pareto front: what is worth its cost."""

import numpy as np
from jaxtyping import Bool, Float

from workbench.stats.estimate import ScoresError


def pareto_front(cost: Float[np.ndarray, " row"], value: Float[np.ndarray, " row"]) -> Bool[np.ndarray, " row"]:
    r"""Which rows no other row dominates; low cost and high value are good.

    Row j dominates row i when $c_j \le c_i$ and $v_j \ge v_i$, and one of the two is strict. Rows equal in both stay
    together, on the front or off it. The front is that of the numbers given: where they are estimates, it holds rows
    that were lucky. Raises `ScoresError` for what is not finite.
    """
    if not (np.isfinite(cost).all() and np.isfinite(value).all()):
        raise ScoresError("a cost or value is not finite: leave such rows out before asking for the front.")
    no_dearer, no_worse = cost[:, None] <= cost, value[:, None] >= value
    strict = (cost[:, None] < cost) | (value[:, None] > value)
    return np.logical_not(np.any(no_dearer & no_worse & strict, axis=0))
