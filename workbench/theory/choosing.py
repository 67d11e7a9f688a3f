r"""What choosing by a verifier that is roughly right gains: the prediction of `workbench.selection`, and its check."""

import math
from collections.abc import Iterator, Sequence
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Float
from scipy.stats import norm

from workbench.selection import select
from workbench.types import Budget, Key, as_float32


class Hill(eqx.Module):
    r"""Candidates $a = \mu + \sigma u$ with $u$ normal in `act` directions, on a hill, and a verifier that ranks them.

    $$V(a) = g\, e^\top (a - \mu) - \tfrac\kappa2 \|a - \mu\|^2, \qquad \hat V(a) = w^\top (a - \mu)$$

    `slope` is g, `curvature` κ, `spread` σ; e and w are unit vectors, and `cosine` is $r = w^\top e$ in [0, 1]: how
    right the verifier is. It knows nothing of the curvature.
    """

    cosine: Float[Array, ""] = eqx.field(converter=as_float32)
    slope: Float[Array, ""] = eqx.field(converter=as_float32, default=1.0)
    curvature: Float[Array, ""] = eqx.field(converter=as_float32, default=1.0)
    spread: Float[Array, ""] = eqx.field(converter=as_float32, default=1.0)
    act: int = eqx.field(static=True, default=5)

    def value(self, a: Float[Array, "*batch act"]) -> Float[Array, "*batch"]:
        """V of actions, μ being 0 and e the first direction."""
        return self.slope * a[..., 0] - 0.5 * self.curvature * jnp.sum(a**2, axis=-1)

    def verdict(self, a: Float[Array, "*batch act"]) -> Float[Array, "*batch"]:
        """The verifier's value of actions; w lies in the plane of the first two directions."""
        return self.cosine * a[..., 0] + jnp.sqrt(1 - self.cosine**2) * a[..., 1]

    def predicted(self, share: float, n: int) -> float:
        r"""The expected V of the mean of the best `share` of `n` candidates.

        $$r g \sigma m - \tfrac\kappa2 \sigma^2 \Big(m^2 + \frac{d - 1}{\rho N}\Big), \qquad
          m = \frac{\varphi(\Phi^{-1}(1 - \rho))}{\rho}$$

        The variance left in the verifier's own direction is neglected: some hundredths of κσ². For $\rho = 1/N$, which
        is the best one, m is the mean of the largest of N normal numbers instead.
        """
        kept = max(1, math.ceil(share * n))
        m = _largest(n) if kept == 1 else float(norm.pdf(norm.ppf(1 - share)) / share) if share < 1 else 0.0
        noise = m**2 + (self.act - 1) / kept
        slope, curvature, spread = (float(each) for each in (self.slope * self.cosine, self.curvature, self.spread))
        return slope * spread * m - 0.5 * curvature * spread**2 * noise

    def simulated(self, rule: str, n: int, *, draws: int = 4000, key: Key) -> float:
        """The mean V of what a rule, such as `elite:0.5`, makes of `n` candidates, by `workbench.selection` itself."""
        return float(_simulated(self, Budget.exactly(1, n, rule), draws, key))

    def best_share(self, n: int) -> float:
        """The share 1/n, 2/n, …, 1 of the greatest predicted value."""
        shares = [k / n for k in range(1, n + 1)]
        return max(shares, key=partial(self.predicted, n=n))


@eqx.filter_jit
def _simulated(hill: Hill, budget: Budget, draws: int, key: Key) -> Float[Array, ""]:
    def one(key: Key) -> Float[Array, ""]:
        key_candidates, key_select = jax.random.split(key)
        a = hill.spread * jax.random.normal(key_candidates, (budget.n_max, hill.act))
        live = jnp.ones(budget.n_max, bool)
        return hill.value(select(budget.selection, a, hill.verdict(a), live, budget.dial, key=key_select))

    return jax.vmap(one)(jax.random.split(key, draws)).mean()


def _largest(n: int) -> float:
    """The mean of the largest of n normal numbers, by integration of the quantile."""
    u = (np.arange(20_000) + 0.5) / 20_000
    return float(norm.ppf(u ** (1 / n)).mean())


def compared(hills: Sequence[Hill], counts: Sequence[int], shares: Sequence[float], *, key: Key) -> pd.DataFrame:
    """Prediction beside simulation: a row a hill, number of candidates and share of them; the share 1/n is the best.

    Columns: cosine, n, share, predicted, simulated. Shares below 1/n are left out.
    """

    def rows() -> Iterator[dict[str, float]]:
        for hill in hills:
            for n in counts:
                for share in sorted({1 / n, *(share for share in shares if share > 1 / n)}):
                    rule = "mean" if share == 1 / n else f"elite:{share:g}"
                    found = {"predicted": hill.predicted(share, n), "simulated": hill.simulated(rule, n, key=key)}
                    yield {"cosine": round(float(hill.cosine), 6), "n": n, "share": share} | found

    return pd.DataFrame(rows())
