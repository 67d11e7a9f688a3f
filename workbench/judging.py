r"""How one value is made of those that an ensemble of critics gives an action: the verifiers, with the number k.

With E critics $Q_1, \dots, Q_E$ of one action, mean $\mu$ and deviation $\sigma$ (of all E, not of E - 1):

- `mean`: $\mu$, the best estimate where the critics err at random.
- `min`: $\min_i Q_i$, which for two critics is $\mu - \sigma$ and for more lies lower the more there are.
- `pessimistic`: $\mu - k \sigma$, the same whatever E is; k = 0 is the mean, and k = 1 for two critics the min.
- `in_sample`: the min of critics that learned from the data's actions alone (`agents.in_sample`), as IDQL is played.
"""

from collections.abc import Callable
from typing import TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from workbench.verifiers import VERIFIERS, asks

Values: TypeAlias = Float[Array, " ens"]
Number: TypeAlias = Float[Array, ""]
Verifier: TypeAlias = Callable[[Values, Number], Float[Array, ""]]
"""Of the critics' values of one action and the number k: the one value that candidates are compared by."""


def deviation(q: Values) -> Float[Array, ""]:
    """Standard deviation over the ensemble (of the population); where all agree its gradient is 0, not undefined."""
    variance = jnp.mean((q - jnp.mean(q)) ** 2)
    return jnp.where(variance > 0, jnp.sqrt(jnp.where(variance > 0, variance, 1.0)), 0.0)


def mean(q: Values, k: Number) -> Float[Array, ""]:
    """The mean of the critics."""
    return jnp.mean(q)


def least(q: Values, k: Number) -> Float[Array, ""]:
    """The least of the critics."""
    return jnp.min(q)


def pessimistic(q: Values, k: Number) -> Float[Array, ""]:
    r"""k deviations below the mean: $\mu - k\sigma$."""
    return jnp.mean(q) - k.astype(q.dtype) * deviation(q)


JUDGES: dict[str, Verifier] = {"mean": mean, "min": least, "pessimistic": pessimistic, "in_sample": least}
"""In the order of `verifiers.VERIFIERS`: a budget names one by its place, so that another is no other program."""
assert tuple(JUDGES) == tuple(VERIFIERS)


def nowhere(q: Values, k: Number) -> Float[Array, ""]:
    """What a verifier says of another critic's values than those it asks for: not a number."""
    return jnp.full((), jnp.nan, q.dtype)


def verdict(place: Int[Array, ""], q: Values, k: Number, critic: str) -> Float[Array, ""]:
    """The value that the verifier at this place of `JUDGES` makes of those of a critic, which it must ask for."""
    return jax.lax.switch(place, [each if asks(name) == critic else nowhere for name, each in JUDGES.items()], q, k)
