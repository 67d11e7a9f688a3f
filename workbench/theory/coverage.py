"""Which modes of a known mixture a policy reaches, and how much of its actions lie at the limit."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from workbench.data.dataset import ACTION_LIMIT
from workbench.data.toy import Mixture
from workbench.errors import WorkbenchError

WITHIN = 0.99
"""Share of a mode's mass inside the ellipsoid that counts as the mode."""


@dataclass(frozen=True)
class Coverage:
    """Shares of a sample of `n` actions by mode, beside what the mixture itself would give; both sum to 1.

    The last entry of `share` and `expected` is what lies in no mode: between them, or far out.
    """

    share: Float[np.ndarray, " class"]
    expected: Float[np.ndarray, " class"]
    n: int

    def covered(self, least: float = 0.1) -> float:
        """Share of the modes that get at least `least` of the samples they should get, in [0, 1]."""
        return float(np.mean(self.share[:-1] >= least * self.expected[:-1]))

    @property
    def outside(self) -> float:
        """Share of the samples in no mode, in [0, 1]; 0.01 for the mixture itself."""
        return float(self.share[-1])


def mode_coverage(mixture: Mixture, a: Float[np.ndarray, "row act"]) -> Coverage:
    r"""Count a sample's actions by the modes of the mixture it should follow.

    An action belongs to the mode k most likely to have made it, if it lies in the ellipsoid that holds 99 % of that
    mode's mass, $(a - \mu_k)^\top \Sigma_k^{-1} (a - \mu_k) \le \chi^2_{d;\,0.99}$; otherwise to none. Expected shares
    are 0.99 w_k, which is right where modes do not overlap. Raises `WorkbenchError` without actions.
    """
    from scipy.stats import chi2

    if len(a) == 0:
        raise WorkbenchError("no mode coverage of an empty sample: draw some actions.")
    mode, distance = (np.asarray(each) for each in _nearest_mode(mixture, jnp.asarray(a)))
    modes = len(mixture.log_weight)
    mode = np.where(distance <= chi2.ppf(WITHIN, a.shape[1]), mode, modes)
    expected = np.append(WITHIN * np.exp(np.asarray(mixture.log_weight, np.float64)), 1 - WITHIN)
    return Coverage(np.bincount(mode, minlength=modes + 1) / len(a), expected, len(a))


@jax.jit
def _nearest_mode(mixture: Mixture, a: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Most likely mode of each action, and its squared Mahalanobis distance from it."""

    def one(a: jax.Array) -> tuple[jax.Array, jax.Array]:
        k = jnp.argmax(mixture.responsibilities(a, jnp.ones((), a.dtype)))
        principal = mixture.axes[k].T @ (a - mixture.mean[k]) / mixture.scale[k]
        return k, principal @ principal

    return jax.vmap(one)(a)


def saturation(a: Float[np.ndarray, "*row act"]) -> Float[np.ndarray, " act"]:
    """Share of actions at the limit, |a_i| ≥ 1 - 1e-5, for each dimension, in [0, 1].

    The limit is where data are clipped when loaded; sampled actions are clipped to ±1, so both are counted alike. The
    mean over dimensions is what training logs as `saturation`, of sampled actions.
    """
    return np.mean(np.abs(a.reshape(-1, a.shape[-1])) >= np.float32(ACTION_LIMIT), axis=0)
