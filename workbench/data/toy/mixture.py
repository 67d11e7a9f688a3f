"""Gaussian mixtures whose flow-matching velocity field is known exactly; one example a function, batch with vmap.

Noise a_0 ~ N(0, I) lies at time 0, data a_1 ~ the mixture at time 1, and a_t = (1 - t) a_0 + t a_1. Under mode k the
point a_t is Gaussian with mean t μ_k and covariance S_k = (1 - t)² I + t² Σ_k. Covariances are kept as principal axes,
in which S_k is diagonal, so nothing is ever inverted and both ends t = 0 and t = 1 are ordinary points.
"""

from typing import TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float, Int

from workbench.errors import DatasetError
from workbench.types import Key

Action: TypeAlias = Float[Array, " act"]
Scalar: TypeAlias = Float[Array, ""]
PerMode: TypeAlias = Float[Array, " mode"]


class Mixture(eqx.Module):
    r"""A Gaussian mixture with principal axes.

    $$\sum_k w_k\, \mathcal N(\mu_k, \Sigma_k), \qquad \Sigma_k = V_k\, \mathrm{diag}(\sigma_k^2)\, V_k^\top$$

    `mean` is μ, `scale` σ (standard deviations along the principal axes), `axes` V (one axis a column, orthonormal) and
    `log_weight` the normalised log w. Make one with `Mixture.build`.
    """

    mean: Float[Array, "mode act"]
    scale: Float[Array, "mode act"]
    axes: Float[Array, "mode act act"]
    log_weight: PerMode

    @classmethod
    def build(
        cls,
        mean: Float[np.ndarray, "mode act"],
        cov: Float[np.ndarray, "mode act act"],
        weight: Float[np.ndarray, " mode"] | None = None,
    ) -> "Mixture":
        """A mixture from means, covariances and positive weights (scaled to sum to 1; equal when left out).

        Raises `DatasetError` when a covariance is not symmetric positive definite or a weight not positive.
        """
        variance, axes = np.linalg.eigh(cov)
        for k in range(len(mean)):
            if not (np.allclose(cov[k], cov[k].T) and variance[k].min() > 0):
                raise DatasetError(
                    f"covariance {k} of the mixture is not symmetric positive definite: {cov[k].tolist()}."
                )
        weight = np.ones(len(mean)) if weight is None else weight
        if not (weight > 0).all():
            raise DatasetError(f"weights of a mixture must be positive, got {weight.tolist()}: leave out empty modes.")
        arrays = (mean, np.sqrt(variance), axes, np.log(weight / weight.sum()))
        return cls(*(jnp.asarray(array, jnp.result_type(float)) for array in arrays))

    @property
    def cov(self) -> Float[Array, "mode act act"]:
        """Covariance matrices Σ."""
        return jnp.einsum("kij,kj,klj->kil", self.axes, self.scale**2, self.axes)

    def sample(self, *, key: Key) -> Action:
        """One draw."""
        key_mode, key_noise = jax.random.split(key)
        k = jax.random.categorical(key_mode, self.log_weight)
        noise = jax.random.normal(key_noise, self.mean.shape[1:], self.mean.dtype)
        return self.mean[k] + self.axes[k] @ (self.scale[k] * noise)

    def log_density(self, a: Action) -> Scalar:
        """Log density of the mixture itself, the marginal at t = 1."""
        return self.log_marginal_density(a, jnp.ones_like(a[0]))

    def log_marginal_density(self, a_t: Action, t: Scalar) -> Scalar:
        r"""$\log p_t(a_t) = \log \sum_k w_k\, \mathcal N(a_t;\, t\mu_k, S_k)$; standard normal at t = 0."""
        return logsumexp(self._log_joint(a_t, t))

    def responsibilities(self, a_t: Action, t: Scalar) -> PerMode:
        """Probability that a_t is on its way to each mode; sums to 1."""
        return jax.nn.softmax(self._log_joint(a_t, t))

    def velocity(self, a_t: Action, t: Scalar) -> Action:
        r"""Exact marginal velocity $u_t(z) = \mathbb E[a_1 - a_0 \mid a_t = z]$ of the straight path, 0 ≤ t ≤ 1.

        $$u_t(z) = \sum_k r_k(z)\,\big[\mu_k + (t\Sigma_k - (1-t) I)\, S_k^{-1} (z - t\mu_k)\big]$$

        with $r_k$ the responsibilities. Each bracket is the conditional mean of jointly Gaussian variables. It is what
        flow matching (Lipman et al. 2023) regresses to: $u_0(z) = \mathbb E[a_1] - z$ and $u_1(z) = z$.
        """
        gain = (t * self.scale**2 - (1 - t)) / self._variance(t)
        drift = self.mean + jnp.einsum("kij,kj->ki", self.axes, gain * self._principal(a_t, t))
        return self.responsibilities(a_t, t) @ drift

    def carry(self, a_t: Action, t: Scalar, h: Scalar | float) -> Action:
        """One step of the classical Runge–Kutta method along `velocity`, from time t to t + h; local error O(h⁵)."""
        k_1 = self.velocity(a_t, t)
        k_2 = self.velocity(a_t + h / 2 * k_1, t + h / 2)
        k_3 = self.velocity(a_t + h / 2 * k_2, t + h / 2)
        k_4 = self.velocity(a_t + h * k_3, t + h)
        return a_t + h / 6 * (k_1 + 2 * k_2 + 2 * k_3 + k_4)

    def transport(self, a_0: Action, steps: int) -> Action:
        """Carry noise to data along `velocity` by `steps` equal steps of `carry`, t = 0 to 1.

        A numerical flow map with error O(steps⁻⁴) once a step is well below the smallest `scale`, not a closed form.
        """
        h = 1.0 / steps

        def step(j: Int[Array, ""], a_t: Action) -> Action:
            return self.carry(a_t, jnp.asarray(j * h, a_0.dtype), h)

        return jax.lax.fori_loop(0, steps, step, a_0)

    def turned(self, angle: Scalar) -> "Mixture":
        """This mixture turned anticlockwise about the origin by `angle` radians; two-dimensional mixtures only."""
        turn = rotation(angle)
        return Mixture(self.mean @ turn.T, self.scale, turn @ self.axes, self.log_weight)

    def _principal(self, a_t: Action, t: Scalar) -> Float[Array, "mode act"]:
        return jnp.einsum("kij,ki->kj", self.axes, a_t - t * self.mean)

    def _variance(self, t: Scalar) -> Float[Array, "mode act"]:
        return (1 - t) ** 2 + t**2 * self.scale**2

    def _log_joint(self, a_t: Action, t: Scalar) -> PerMode:
        variance = self._variance(t)
        terms = self._principal(a_t, t) ** 2 / variance + jnp.log(2 * jnp.pi * variance)
        return self.log_weight - 0.5 * terms.sum(axis=-1)


def rotation(angle: Scalar) -> Float[Array, "2 2"]:
    """Matrix of the anticlockwise rotation by `angle` radians."""
    c, s = jnp.cos(angle), jnp.sin(angle)
    return jnp.stack([jnp.stack([c, -s]), jnp.stack([s, c])])


def two_modes_1d() -> Mixture:
    """Two narrow modes on a line, the right one rarer (weight 0.3)."""
    return _round([[-0.5], [0.5]], 0.1, [0.7, 0.3])


def ring_of_modes(modes: int = 8) -> Mixture:
    """Equal round modes evenly on a circle of radius 0.7, the first on the positive first axis."""
    angle = 2 * np.pi * np.arange(modes) / modes
    return _round(0.7 * np.stack([np.cos(angle), np.sin(angle)], axis=-1), 0.06)


def grid_of_modes(side: int = 3) -> Mixture:
    """Equal round modes on a `side` × `side` square grid from -0.7 to 0.7, row by row from the lower left."""
    ticks = np.linspace(-0.7, 0.7, side)
    return _round(np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2), 0.06)


def tilted_modes() -> Mixture:
    """Three long modes of unequal weight, each tilted differently: full covariances."""
    mean = np.array([[-0.5, -0.35], [0.5, -0.3], [0.0, 0.5]])
    angle = np.array([0.9, 2.2, 0.0])
    axes = np.stack([np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)], axis=-1).reshape(3, 2, 2)
    cov = axes @ np.diag([0.12**2, 0.04**2]) @ axes.transpose(0, 2, 1)
    return Mixture.build(mean, cov, np.array([0.5, 0.3, 0.2]))


def _round(mean: np.ndarray | list[list[float]], scale: float, weight: list[float] | None = None) -> Mixture:
    mean = np.asarray(mean)
    cov = np.tile(scale**2 * np.eye(mean.shape[1]), (len(mean), 1, 1))
    return Mixture.build(mean, cov, None if weight is None else np.array(weight))
