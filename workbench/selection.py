r"""How one action is made of N candidates and their values: the dial beside the number of candidates.

Why not simply the best? Let candidates be normal around $\mu$ with variance $\sigma^2$ in each of $d$ directions, let
the true value near $\mu$ be $V(a) = g^\top(a - \mu) - \tfrac\kappa2 \|a - \mu\|^2$, and let the verifier rank by a
direction whose cosine with $g$ is $r$. The mean of the best share $\rho$ moves by $\sigma m$ in that direction,
$m = \varphi(z_\rho)/\rho$ with $\rho = 1 - \Phi(z_\rho)$, and keeps variance $\sigma^2/(\rho N)$ in the others:

$$\mathbb E V \approx r \|g\| \sigma m - \tfrac\kappa2 \sigma^2 \Big(m^2 + \frac{d - 1}{\rho N}\Big)$$

The best one alone moves by $\mathbb E z_{(N)}$, which grows without end with $N$, and keeps all noise of the other
directions. The mean of all ($\rho = 1$) does not move. Between lies the best share, where $m = r\|g\|/\kappa\sigma$
once $\rho N$ is large: the larger the worse the verifier, and the same for every $N$. Where candidates have several
modes their mean lies between them; `nearest` and `mode` are for those.
"""

from collections.abc import Callable
from typing import TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from workbench.verifiers import DIALS

Candidates: TypeAlias = Float[Array, "cand act"]
Values: TypeAlias = Float[Array, " cand"]
Live: TypeAlias = Bool[Array, " cand"]
Dial: TypeAlias = Float[Array, ""]
Selection: TypeAlias = Callable[[Candidates, Values, Live, Dial, PRNGKeyArray], Float[Array, " act"]]
"""Of candidates, values, which of them count, the dial and a key: the action."""

SHIFTS = 16
"""Steps of mean shift, which has converged long before where candidates are tens."""


def best(a: Candidates, q: Values, live: Live, dial: Dial, key: PRNGKeyArray) -> Float[Array, " act"]:
    r"""The candidate of the greatest value: $a_{\arg\max_i Q_i}$."""
    return a[jnp.argmax(jnp.where(live, q, -jnp.inf))]


def elite(a: Candidates, q: Values, live: Live, dial: Dial, key: PRNGKeyArray) -> Float[Array, " act"]:
    r"""The mean of the best share: of $\lceil \rho N \rceil$ candidates. $\rho = 1/N$ is `best`, 1 the mean of all."""
    return jnp.average(a, axis=0, weights=_elite(q, live, dial).astype(a.dtype))


def nearest(a: Candidates, q: Values, live: Live, dial: Dial, key: PRNGKeyArray) -> Float[Array, " act"]:
    """The candidate of the best share that is nearest to its mean: an action that the policy itself would take."""
    kept, mean = _elite(q, live, dial), elite(a, q, live, dial, key)
    return a[jnp.argmin(jnp.where(kept, jnp.sum((a - mean) ** 2, axis=1), jnp.inf))]


def mode(a: Candidates, q: Values, live: Live, dial: Dial, key: PRNGKeyArray) -> Float[Array, " act"]:
    r"""The densest place of the best share, by mean shift from its densest candidate.

    $$a \leftarrow \sum_i k_i a_i \Big/ \sum_i k_i, \qquad k_i = e^{-\|a - a_i\|^2 / 2 h^2}$$

    over the best share. $h$ is half its root mean square distance from its mean, so that two modes are told apart.
    """
    kept, mean = _elite(q, live, dial).astype(a.dtype), elite(a, q, live, dial, key)
    width = 0.25 * jnp.average(jnp.sum((a - mean) ** 2, axis=1), weights=kept) + 1e-12

    def kernel(place: Float[Array, " act"]) -> Values:
        return kept * jnp.exp(-jnp.sum((a - place) ** 2, axis=1) / (2 * width))

    density = jnp.where(kept > 0, jax.vmap(lambda place: kernel(place).sum())(a), -jnp.inf)
    shift = lambda _, place: jnp.average(a, axis=0, weights=kernel(place))  # noqa: E731
    return jax.lax.fori_loop(0, SHIFTS, shift, a[jnp.argmax(density)])


def weighted(a: Candidates, q: Values, live: Live, dial: Dial, key: PRNGKeyArray) -> Float[Array, " act"]:
    r"""The mean with weights $\mathrm{softmax}(z/\tau)$, $z$ the standardised values. $\tau \to 0$ is `best`."""
    return jax.nn.softmax(_logits(q, live, dial)) @ a


def soft(a: Candidates, q: Values, live: Live, dial: Dial, key: PRNGKeyArray) -> Float[Array, " act"]:
    r"""One candidate drawn from $\mathrm{softmax}(z/\tau)$, $z$ the standardised values. $\tau \to 0$ is `best`."""
    return a[jax.random.categorical(key, _logits(q, live, dial))]


SELECTIONS: dict[str, Selection] = {each.__name__: each for each in (best, elite, nearest, mode, weighted, soft)}
"""In the order of `verifiers.DIALS`: a budget names one by its place, so that another is no other program."""
assert tuple(SELECTIONS) == tuple(DIALS)


def select(
    place: Int[Array, ""], a: Candidates, q: Values, live: Live, dial: Dial, *, key: PRNGKeyArray
) -> Float[Array, " act"]:
    """The action that the selection at this place of `SELECTIONS` makes."""
    return jax.lax.switch(place, list(SELECTIONS.values()), a, q, live, dial, key)


def _elite(q: Values, live: Live, share: Dial) -> Live:
    """Which candidates are of the best share; of equal values the earlier."""
    count = jnp.clip(jnp.ceil(share * live.sum() - 1e-4), 1, live.sum())
    order = jnp.argsort(jnp.where(live, -q, jnp.inf), stable=True)
    return live & (jnp.argsort(order) < count)


def _logits(q: Values, live: Live, temperature: Dial) -> Values:
    """Standardised values over the temperature, those that do not count at minus infinity."""
    mean = jnp.mean(q, where=live)
    z = (q - mean) / (jnp.sqrt(jnp.mean((q - mean) ** 2, where=live)) + 1e-12)
    return jnp.where(live, z / temperature, -jnp.inf)
