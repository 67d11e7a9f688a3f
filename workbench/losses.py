"""Per-example loss terms; the caller takes the mean. Gradients stop only where a docstring says so."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from workbench.diffusion import Denoiser, consistent, preserved
from workbench.flow import Action, Scalar, Shortcut, interpolate, mean_of_two_steps
from workbench.judging import deviation


class VelocityTarget(eqx.Module):
    """Where a shortcut is asked, and the velocity `v` that it should answer with."""

    a_t: Action
    t: Scalar
    h: Scalar
    x: Float[Array, " obs"]
    v: Action


def velocity_residual(s: Shortcut, to: VelocityTarget) -> Action:
    r"""What a shortcut answers beyond what it should: $s(a_t, t, h \mid x) - v$."""
    return s(to.a_t, to.t, to.h, to.x) - to.v


def velocity_error(s: Shortcut, to: VelocityTarget) -> Scalar:
    r"""Squared error of a shortcut, the **mean** over action dimensions: $\| s(a_t, t, h \mid x) - v \|^2 / d$.

    The weights of the papers' tables belong to the mean; a sum would divide w_ql by the dimension d of an action.
    """
    return jnp.mean(velocity_residual(s, to) ** 2)


def flow_matching_target(
    a_0: Action,
    a_1: Action,
    t: Scalar,
    h: Scalar,
    x: Float[Array, " obs"],
    *,
    sigma_min: float = 0.0,
    sigma_path: float | None = None,
) -> VelocityTarget:
    """What `flow_matching` asks for; `sigma_path` is that of the path where it is rounded otherwise (`departures`)."""
    a_t = interpolate(a_0, a_1, t, sigma_min=sigma_min if sigma_path is None else sigma_path)
    return VelocityTarget(a_t, t, h, x, a_1 - (1.0 - sigma_min) * a_0)


def self_consistency_target(
    s: Shortcut, a_t: Action, t: Scalar, h: Scalar, x: Float[Array, " obs"], h_2: Scalar | None = None
) -> VelocityTarget:
    """What `self_consistency` asks for: one step that equals two steps of `s`, of sizes h and `h_2` (None: h too)."""
    whole = 2.0 * h if h_2 is None else h + h_2
    return VelocityTarget(a_t, t, whole, x, mean_of_two_steps(s, a_t, t, h, x, h_2))


def flow_matching(
    s: Shortcut, a_0: Action, a_1: Action, t: Scalar, h: Scalar, x: Float[Array, " obs"], *, sigma_min: float = 0.0
) -> Scalar:
    r"""Squared error of the finest shortcut against the straight velocity from noise to data.

    $$\tfrac1d \| s(a_t, t, h \mid x) - (a_1 - (1 - \sigma_{min})\, a_0) \|^2$$

    Flow-matching loss of SORL with h = 1/M_disc; d is the dimension of an action.
    """
    return velocity_error(s, flow_matching_target(a_0, a_1, t, h, x, sigma_min=sigma_min))


def self_consistency(
    s: Shortcut,
    s_target: Shortcut,
    a_t: Action,
    t: Scalar,
    h: Scalar,
    x: Float[Array, " obs"],
    h_2: Scalar | None = None,
) -> Scalar:
    r"""Squared error of one step of size 2h against two steps of size h of `s_target`.

    $$\tfrac1d \| s(a_t, t, 2h \mid x)
      - \mathrm{stopgrad}\,\tfrac12[s(a_t,t,h \mid x) + s(a_{t+h}, t+h, h \mid x)] \|^2$$

    Self-consistency loss of SORL. `h` is the **half** step, t + 2h ≤ 1. No gradient reaches `s_target`. With `h_2` the
    second step is of that size instead, and the whole of size h + h_2 (`flow.mean_of_two_steps`).
    """
    return velocity_error(s, self_consistency_target(s_target, a_t, t, h, x, h_2))


def q_loss(q: Scalar, scale: Scalar) -> Scalar:
    r"""Negative value of a sampled action over a stopped scale.

    $$-Q(x, a_\pi) / \mathrm{stopgrad}(\mathrm{scale})$$

    Q loss of SORL, CAC and ReBRAC with scale = mean |Q| of the batch, which makes the weight independent of the
    reward's unit. Where every Q is 0, as before the first update, it is 0.
    """
    return -q / jnp.maximum(jax.lax.stop_gradient(scale), 1e-8)


def aggregate(q: Float[Array, " ens"], pessimism: Scalar | float, deviations: float = 0.0) -> Scalar:
    """One value from an ensemble: its mean (pessimism 0), its minimum (1), or a mixture, less so many deviations."""
    value = (1.0 - pessimism) * jnp.mean(q) + pessimism * jnp.min(q)
    return value - deviations * deviation(q) if deviations else value


def td_target(r: Scalar, mask: Scalar, gamma: Scalar, q_next: Scalar) -> Scalar:
    r"""Bootstrapped return $y = r + \gamma \cdot \mathrm{mask} \cdot Q(x', a')$. Does **not** stop gradients itself."""
    return r + gamma * mask * q_next


def td(q: Float[Array, " ens"], y: Scalar) -> Scalar:
    r"""Temporal-difference error, mean over the ensemble: $\mathrm{mean}_i (Q_i(x, a) - y)^2$."""
    return jnp.mean((q - y) ** 2)


def expectile(u: Scalar, level: float) -> Scalar:
    r"""Asymmetric squared error, whose minimiser over v of $L(y - v)$ is the expectile of y.

    $$L(u) = |\mathrm{level} - \mathbb 1[u < 0]|\; u^2$$

    Value loss of IQL (Kostrikov et al. 2022), with u = Q - V; `level` in (0, 1), and 1/2 is the mean (times a half).
    """
    return jnp.where(u < 0, 1.0 - level, level) * u**2


def advantage_weight(advantage: Scalar, alpha: Scalar, *, cap: float = 100.0) -> Scalar:
    r"""How much an action of the data counts: $\min(e^{\alpha A}, \mathrm{cap})$. Gradients stop here.

    Advantage-weighted regression (Peng et al. 2019, as in IQL); `alpha` is an inverse temperature, 0 imitates all.
    """
    return jax.lax.stop_gradient(jnp.minimum(jnp.exp(alpha * advantage), cap))


def gaussian_nll(mean: Action, a: Action) -> Scalar:
    r"""Negative log-likelihood of a Gaussian of unit deviation: $\tfrac12 \|a - \mu\|^2 + \tfrac d2 \log 2\pi$."""
    return 0.5 * jnp.sum((a - mean) ** 2) + 0.5 * len(a) * jnp.log(2 * jnp.pi)


def denoising(
    predict: Denoiser, a: Action, noise: Action, t: Scalar, x: Float[Array, " obs"], *, beta_max: float
) -> Scalar:
    r"""Squared error of the noise that a network sees in a noised action.

    $$\tfrac1d\, \| \epsilon(\alpha_t a + \sigma_t z, t \mid x) - z \|^2$$

    DDPM's simple loss (Ho et al. 2020); the mean over the d action dimensions. Its minimiser is
    $-\sigma_t \nabla \log p_t$.
    """
    alpha, sigma = preserved(t, beta_max)
    return jnp.mean((predict(alpha * a + sigma * noise, t, x) - noise) ** 2)


def score_regularised(
    predict: Denoiser, a_pi: Action, noise: Action, t: Scalar, x: Float[Array, " obs"], *, beta_max: float
) -> Scalar:
    r"""A surrogate whose gradient carries an action up the log density of the noised behaviour policy.

    $$\sigma_t^2\; \mathrm{stopgrad}\big[\epsilon(\alpha_t a_\pi + \sigma_t z, t \mid x) - z\big] \cdot a_\pi$$

    Behaviour term of SRPO (Chen et al. 2024); its value means nothing. Gradients reach a_π by the last factor alone.
    """
    alpha, sigma = preserved(t, beta_max)
    seen = predict(alpha * a_pi + sigma * noise, t, x)
    return sigma**2 * jnp.sum(jax.lax.stop_gradient(seen - noise) * a_pi)


def consistency(
    net: Denoiser, target: Denoiser, a: Action, noise: Action, low: Scalar, high: Scalar, x: Float[Array, " obs"]
) -> Scalar:
    r"""Squared difference of what is seen behind the same noise at two neighbouring levels, over their distance.

    $$\tfrac1d\, \| f(a + \sigma_{high} z, \sigma_{high})
      - \mathrm{stopgrad}\, \bar f(a + \sigma_{low} z, \sigma_{low}) \|^2
      \cdot 100\,/\, (\sigma_{high} - \sigma_{low})$$

    Consistency training without a teacher (Song et al. 2023), with the weight of Ding & Jin's code (2024); the mean
    over the d action dimensions. No gradient reaches `target`.
    """
    seen = jax.lax.stop_gradient(consistent(target, a + low * noise, low, x))
    return 100.0 / (high - low) * jnp.mean((consistent(net, a + high * noise, high, x) - seen) ** 2)
