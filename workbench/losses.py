"""Per-example loss terms; the caller takes the mean. Gradients stop only where a docstring says so."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from workbench.flow import Action, Scalar, Shortcut, interpolate, self_consistency_target


def flow_matching(
    s: Shortcut, a_0: Action, a_1: Action, t: Scalar, h: Scalar, x: Float[Array, " obs"], *, sigma_min: float = 0.0
) -> Scalar:
    r"""Squared error of the finest shortcut against the straight velocity from noise to data.

    $$\| s(a_t, t, h \mid x) - (a_1 - (1 - \sigma_{min})\, a_0) \|^2$$

    Flow-matching loss of SORL with h = 1/M_disc; the sum over action dimensions, not their mean.
    """
    target = a_1 - (1.0 - sigma_min) * a_0
    return jnp.sum((s(interpolate(a_0, a_1, t, sigma_min=sigma_min), t, h, x) - target) ** 2)


def self_consistency(
    s: Shortcut, s_target: Shortcut, a_t: Action, t: Scalar, h: Scalar, x: Float[Array, " obs"]
) -> Scalar:
    r"""Squared error of one step of size 2h against two steps of size h of `s_target`.

    $$\| s(a_t, t, 2h \mid x) - \mathrm{stopgrad}\,\tfrac12[s(a_t,t,h \mid x) + s(a_{t+h}, t+h, h \mid x)] \|^2$$

    Self-consistency loss of SORL. `h` is the **half** step, t + 2h ≤ 1. No gradient reaches `s_target`.
    """
    return jnp.sum((s(a_t, t, 2.0 * h, x) - self_consistency_target(s_target, a_t, t, h, x)) ** 2)


def q_loss(q: Scalar, scale: Scalar) -> Scalar:
    r"""Negative value of a sampled action over a stopped scale.

    $$-Q(x, a_\pi) / \mathrm{stopgrad}(\mathrm{scale})$$

    Q loss of SORL with scale = mean |Q| of the batch, which makes the weight independent of the reward's unit.
    """
    return -q / jax.lax.stop_gradient(scale)


def aggregate(q: Float[Array, " ens"], pessimism: Scalar | float) -> Scalar:
    """One value from an ensemble: its mean (pessimism 0), its minimum (1), or a mixture between."""
    return (1.0 - pessimism) * jnp.mean(q) + pessimism * jnp.min(q)


def td_target(r: Scalar, mask: Scalar, gamma: Scalar, q_next: Scalar) -> Scalar:
    r"""Bootstrapped return $y = r + \gamma \cdot \mathrm{mask} \cdot Q(x', a')$. Does **not** stop gradients itself."""
    return r + gamma * mask * q_next


def td(q: Float[Array, " ens"], y: Scalar) -> Scalar:
    r"""Temporal-difference error, mean over the ensemble: $\mathrm{mean}_i (Q_i(x, a) - y)^2$."""
    return jnp.mean((q - y) ** 2)
