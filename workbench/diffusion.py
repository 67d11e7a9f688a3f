"""Diffusion and consistency models: pure mathematics of one example; data lies at time 0, noise at time 1.

Two ways to add noise. Variance-preserving: a_t = α_t a + σ_t ε with α² + σ² = 1, for policies that predict ε.
Exploding: a + σ ε with σ from 0.002 to 80, for consistency models. Time runs the other way than in `flow`, as in the
literature.
"""

from collections.abc import Callable
from typing import TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from workbench.flow import Action, Scalar
from workbench.types import Key

Denoiser: TypeAlias = Callable[[Action, Scalar, Float[Array, " obs"]], Action]
"""A network of (noised action, time or noise level, observation)."""

BETA_MIN = 0.1
SIGMA_MIN, SIGMA_MAX, SIGMA_DATA = 0.002, 80.0, 0.5
LAST_SIGMA = 2.0
"""Noise level of the last step when a consistency model samples in several."""


def preserved(t: Scalar, beta_max: float) -> tuple[Scalar, Scalar]:
    r"""Signal and noise at time t of the variance-preserving process with a linear rate of noise.

    $$\alpha_t^2 = e^{-\beta_{min} t - \frac12 (\beta_{max} - \beta_{min}) t^2}, \qquad
      \sigma_t^2 = 1 - \alpha_t^2$$

    Song et al. 2021 with β_min = 0.1. At t = k/K these are the K-step schedule of Xiao et al. 2022 exactly.
    """
    log_alpha_squared = -(BETA_MIN * t + 0.5 * (beta_max - BETA_MIN) * t**2)
    return jnp.exp(0.5 * log_alpha_squared), jnp.sqrt(-jnp.expm1(log_alpha_squared))


def ancestral(
    predict: Denoiser,
    a_1: Action,
    x: Float[Array, " obs"],
    m: Int[Array, ""],
    *,
    levels: int,
    beta_max: float,
    key: Key,
) -> Action:
    r"""Carry noise to an action by m steps of the DDPM posterior (Ho et al. 2020) among `levels` trained times.

    $$a_s = \frac{\alpha_s \sigma_{t|s}^2}{\sigma_t^2}\,\hat a + \frac{\alpha_{t|s} \sigma_s^2}{\sigma_t^2}\,a_t
      + \sigma_{t|s}\, z, \qquad
      \hat a = \frac{a_t - \sigma_t\, \epsilon(a_t, t \mid x)}{\alpha_t}, \qquad
      \alpha_{t|s} = \frac{\alpha_t}{\alpha_s}, \qquad
      \sigma_{t|s}^2 = \sigma_t^2 - \alpha_{t|s}^2 \sigma_s^2$$

    with $\hat a$ clipped to [-1, 1] and no noise in the last step. m = `levels` is DDPM itself; a smaller traced m
    skips times evenly (respacing, Nichol & Dhariwal 2021), and steps beyond `levels` change nothing, since only trained
    times are ever asked for.
    """
    m = jnp.minimum(m, levels)

    def step(j: Int[Array, ""], a_t: Action) -> Action:
        t, s = ((levels - i * levels // m) / levels for i in (j, j + 1))
        (alpha_t, sigma_t), (alpha_s, sigma_s) = preserved(t, beta_max), preserved(s, beta_max)
        clean = jnp.clip((a_t - sigma_t * predict(a_t, t, x)) / alpha_t, -1.0, 1.0)
        ratio = alpha_t / alpha_s
        variance = jnp.maximum(sigma_t**2 - ratio**2 * sigma_s**2, 0.0)
        mean = (alpha_s * variance * clean + ratio * sigma_s**2 * a_t) / sigma_t**2
        noise = jax.random.normal(jax.random.fold_in(key, j), a_t.shape, a_t.dtype)
        return mean + jnp.where(s > 0, jnp.sqrt(variance), 0.0) * noise

    return jnp.clip(jax.lax.fori_loop(0, m, step, a_1), -1.0, 1.0)


def noise_level(i: Int[Array, ""] | int, levels: int) -> Scalar:
    r"""The i-th of `levels` noise levels from 0.002 to 80, dense at the low end (Karras et al. 2022, ρ = 7).

    $$\sigma_i = \Big(\sigma_{min}^{1/7}
      + \tfrac{i}{\mathrm{levels} - 1} (\sigma_{max}^{1/7} - \sigma_{min}^{1/7})\Big)^7$$
    """
    low, high = SIGMA_MIN ** (1 / 7), SIGMA_MAX ** (1 / 7)
    return (low + jnp.asarray(i, jnp.result_type(float)) / (levels - 1) * (high - low)) ** 7


def consistent(net: Denoiser, a_t: Action, sigma: Scalar, x: Float[Array, " obs"]) -> Action:
    r"""The clean action a consistency model sees behind noise of level σ; the identity at σ = 0.002, by construction.

    $$f = \frac{\sigma_d^2}{(\sigma - \sigma_{min})^2 + \sigma_d^2}\, a_t
      + \frac{\sigma_d (\sigma - \sigma_{min})}{\sqrt{\sigma^2 + \sigma_d^2}}\,
      F\Big(\frac{a_t}{\sqrt{\sigma^2 + \sigma_d^2}}, \tfrac14 \log \sigma, x\Big)$$

    Song et al. 2023, with σ_d = 0.5 the deviation that data is taken to have.
    """
    past = sigma - SIGMA_MIN
    scale = jnp.sqrt(sigma**2 + SIGMA_DATA**2)
    skip = SIGMA_DATA**2 / (past**2 + SIGMA_DATA**2)
    return skip * a_t + SIGMA_DATA * past / scale * net(a_t / scale, 0.25 * jnp.log(sigma), x)


def consistency_sample(
    net: Denoiser, noise: Action, x: Float[Array, " obs"], m: Int[Array, ""] | int, *, key: Key
) -> Action:
    r"""An action from noise in m steps of a consistency model: see clean, add less noise, see clean again.

    The first step is at σ = 80, the others at levels evenly spaced down to 2. With m a Python integer, gradients run
    back through every step and the final clip to [-1, 1]; a traced m never recompiles and has none.
    """

    def step(j: Int[Array, ""], a: Action) -> Action:
        sigma = SIGMA_MAX + (LAST_SIGMA - SIGMA_MAX) * j / (m - 1)
        fresh = jax.random.normal(jax.random.fold_in(key, j), a.shape, a.dtype)
        return consistent(net, a + jnp.sqrt(sigma**2 - SIGMA_MIN**2) * fresh, sigma, x)

    first = consistent(net, SIGMA_MAX * noise, jnp.asarray(SIGMA_MAX, noise.dtype), x)
    return jnp.clip(jax.lax.fori_loop(1, m, step, first), -1.0, 1.0)
