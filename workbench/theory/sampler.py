"""What can be measured of a shortcut and its Euler sampler on any data: no exact velocity is needed.

Observations `x`, noise `a_0` ~ N(0, I) and data actions `a_1` are rows of one batch, row i of one with row i of the
others. Noise is an argument, so that two models, or two step counts, can be compared on the same.
"""

from collections.abc import Sequence
from functools import partial
from typing import TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from workbench import losses
from workbench.flow import Action, Shortcut, euler, euler_path, interpolate
from workbench.theory.dyadic import as_grid, intervals

Observations: TypeAlias = Float[Array, "row obs"]
Actions: TypeAlias = Float[Array, "row act"]


@eqx.filter_jit
def self_consistency_grid(
    s: Shortcut, x: Observations, a_0: Actions, a_1: Actions, *, m_disc: int
) -> Float[Array, "level grid"]:
    r"""Root mean square over the rows of the self-consistency residual, for every step size 2h and time t.

    $$\sqrt{\mathbb E\, \lVert s(a_t, t, 2h) - \tfrac12 [s(a_t, t, h) + s(a_{t+h}, t+h, h)] \rVert^2}, \qquad
      a_t = (1 - t)\, a_0 + t\, a_1$$

    Row i is 2h = 2^-i, down to 2/m_disc; column k is t = k/m_disc, NaN where that is no multiple of 2h. In action units
    per unit of time: 2h times it is how far one step lands from two. Zero for an exact shortcut, and for any s that
    agrees with itself, right or wrong.
    """
    start, size = (each[: m_disc - 1] / m_disc for each in intervals(m_disc))

    def squared(t: Float[Array, ""], h: Float[Array, ""]) -> Float[Array, ""]:
        a_t = jax.vmap(interpolate, in_axes=(0, 0, None))(a_0, a_1, t)
        target = partial(losses.self_consistency_target, s)
        return _square(s, jax.vmap(lambda a_t, x: target(a_t, t, h, x))(a_t, x))

    times = jnp.asarray(start, a_0.dtype), jnp.asarray(size / 2, a_0.dtype)
    return as_grid(jnp.sqrt(jax.lax.map(lambda each: squared(*each), times)), m_disc)


@eqx.filter_jit
def flow_matching_profile(
    s: Shortcut, x: Observations, a_0: Actions, a_1: Actions, *, m_disc: int
) -> Float[Array, " grid"]:
    r"""Root mean square over the rows of the flow-matching error at each t = k/m_disc.

    $$\sqrt{\mathbb E\, \lVert s(a_t, t, 1/M_{disc}) - (a_1 - a_0) \rVert^2}$$

    In action units per unit of time. Its square is the squared error against the true velocity u_t, plus the variance
    of a_1 - a_0 given a_t, which no model removes: compare models, or moments of training, never with zero. On
    mixtures `W2Report.eps_fm` is the first part alone.
    """
    h = jnp.asarray(1.0 / m_disc, a_0.dtype)

    def squared(t: Float[Array, ""]) -> Float[Array, ""]:
        return _square(s, jax.vmap(lambda a_0, a_1, x: losses.flow_matching_target(a_0, a_1, t, h, x))(a_0, a_1, x))

    return jnp.sqrt(jax.lax.map(squared, jnp.arange(m_disc, dtype=a_0.dtype) * h))


def _square(s: Shortcut, rows: losses.VelocityTarget) -> Float[Array, ""]:
    """Mean over rows of the squared length of the residual: of a vector, so a sum over action dimensions."""
    return jnp.sum(jax.vmap(partial(losses.velocity_residual, s))(rows) ** 2, axis=-1).mean()


@eqx.filter_jit
def straightness(s: Shortcut, x: Observations, a_0: Actions, *, m: int) -> Float[Array, " row"]:
    r"""How far the m-step path of each row is from a straight line at constant speed; 0 when it is one.

    $$\frac1m \sum_{j<m} \lVert (a_1 - a_0) - s(a_{j/m}, \tfrac jm, \tfrac1m) \rVert^2$$

    The mean over rows is S of Liu et al. 2023 (rectified flow), for the sampler's own path to its own end a_1 before
    clipping. In squared action units per squared unit of time; 0 for m = 1, whatever s is.
    """

    def bend(a_0: Action, x: Float[Array, " obs"]) -> Float[Array, ""]:
        points, velocities = euler_path(s, a_0, x, m)
        return jnp.sum((points[-1] - points[0] - velocities) ** 2, axis=-1).mean()

    return jax.vmap(bend)(a_0, x)


def step_gap(
    s: Shortcut, x: Observations, a_0: Actions, *, m_inf: Sequence[int], m_disc: int
) -> Float[Array, "step row"]:
    r"""Distance between the actions of m_inf and of m_disc Euler steps from the same noise, in action units.

    $$\lVert \mathrm{clip}(a^{(M_{inf})}) - \mathrm{clip}(a^{(M_{disc})}) \rVert$$

    One row of the result for each entry of `m_inf`: any counts ≥ 1, and other values never recompile. Clipped to
    [-1, 1], as when acting.
    """
    return _gaps(s, x, a_0, jnp.asarray([*m_inf, m_disc]))


@eqx.filter_jit
def _gaps(s: Shortcut, x: Observations, a_0: Actions, m: Array) -> Float[Array, "step row"]:
    ends = jax.lax.map(lambda m: jax.vmap(lambda a_0, x: euler(s, a_0, x, m))(a_0, x), m)
    return jnp.linalg.norm(ends[:-1] - ends[-1], axis=-1)
