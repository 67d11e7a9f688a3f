"""One draw of noise, followed by the exact flow and by the model: every local error, and where it ends up."""

from typing import TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from workbench.data.toy import Mixture
from workbench.flow import Action, Scalar, Shortcut, euler_path
from workbench.theory.dyadic import intervals, level, preorder, step_counts

Points: TypeAlias = Float[Array, "point act"]

TERMS = ("flow_matching", "discretisation", "self_consistency")


class Along(eqx.Module):
    """Squared lengths along one draw; `node` runs over `dyadic.intervals`, `inner` over those that have halves.

    `ends` is where M = 1, 2, 4, … steps land, `target` where the exact flow does. `arrivals` lists, for each M, the
    squared shift of the end that every local error causes; the local errors are those of `chain`.
    """

    acceleration: Float[Array, " fine"]
    flow_matching: Float[Array, " grid"]
    self_consistency: Float[Array, " inner"]
    lipschitz: Float[Array, " node"]
    arrivals: tuple[Float[Array, " _"], ...]
    ends: Float[Array, "step act"]
    target: Action


def exact_path(mixture: Mixture, a_0: Action, steps: int) -> Float[Array, "{steps}+1 act"]:
    """The flow of the mixture's velocity from a_0 at t = 0, 1/steps, …, 1, by the classical Runge-Kutta method."""
    h = 1.0 / steps

    def step(z: Action, j: Scalar) -> tuple[Action, Action]:
        return mixture.carry(z, j * h, h), z

    end, path = jax.lax.scan(step, a_0, jnp.arange(steps, dtype=a_0.dtype))
    return jnp.concatenate([path, end[None]])


def acceleration(mixture: Mixture, z: Action, t: Scalar) -> Action:
    r"""$\tfrac{d}{dt} u_t(Z_t) = \partial_t u_t + (\nabla u_t)\, u_t$ of the exact flow through z at time t."""
    return jax.jvp(mixture.velocity, (z, t), (mixture.velocity(z, t), jnp.ones_like(t)))[1]


def push(s: Shortcut, z: Points, k: Int[np.ndarray, " point"], x: Float[Array, " obs"], m: int, m_disc: int) -> Points:
    """Carry each point from its time k/m_disc to 1 by the model's own steps.

    At time k the step is the longest dyadic interval that starts there and is no longer than 1/m: those that remain of
    the intervals the point lies in, then the m-step sampler.
    """

    def step(carry: tuple[Points, Int[Array, " point"]]) -> tuple[Points, Int[Array, " point"]]:
        z, k = carry
        size = jnp.minimum(k & -k, m_disc // m)  # k & -k is the largest power of two that divides k
        t, h = k.astype(z.dtype) / m_disc, size.astype(z.dtype) / m_disc
        moved = z + h[:, None] * jax.vmap(s, in_axes=(0, 0, 0, None))(z, t, h, x)
        return jnp.where((k < m_disc)[:, None], moved, z), jnp.minimum(k + size, m_disc)

    return jax.lax.while_loop(lambda carry: (carry[1] < m_disc).any(), step, (z, jnp.asarray(k)))[0]


def chain(m: int, m_disc: int) -> tuple[Int[np.ndarray, " link"], Int[np.ndarray, " error"]]:
    """The points between the end of m steps and the end of the exact flow, and the term that each difference is of.

    Points are numbered as in `along`: a step over each interval from its exact start, then m_disc exact-velocity steps,
    then the exact end. Replacing a step by its halves is a self-consistency error; the finest step by one of the exact
    velocity, a flow-matching error; that by the flow, a discretisation error.
    """
    points, terms = [], []
    for node in preorder(m, m_disc):
        points.append(node)
        if node < m_disc - 1:
            terms.append(TERMS.index("self_consistency"))
        else:
            points.append(m_disc + node)
            terms += [TERMS.index("flow_matching"), TERMS.index("discretisation")]
    return np.array([*points, 3 * m_disc - 1]), np.array(terms)


def carried(
    s: Shortcut, points: Points, k: Int[np.ndarray, " point"], x: Float[Array, " obs"], m_disc: int
) -> tuple[Float[Array, " _"], ...]:
    """For each M, the squared differences along the chain once its points (at times k/m_disc) are at the end."""
    found = []
    for m in map(int, step_counts(m_disc)):
        order, _ = chain(m, m_disc)
        found.append(_squared(jnp.diff(push(s, points[order], k[order], x, m, m_disc), axis=0)))
    return tuple(found)


def along(s: Shortcut, mixture: Mixture, x: Float[Array, " obs"], a_0: Action, *, m_disc: int, fine: int) -> Along:
    """What `measure` needs of one a_0; `fine` Runge-Kutta steps, a multiple of m_disc, make the exact flow."""
    start, size = intervals(m_disc)
    t, h = (jnp.asarray(each / m_disc, a_0.dtype) for each in (start, size))
    inner, leaves = slice(m_disc - 1), level(m_disc)
    velocity = jax.vmap(lambda z, t, h: s(z, t, h, x))
    path = exact_path(mixture, a_0, fine)
    z = path[:: fine // m_disc]
    origin = z[start]
    v = velocity(origin, t, h)
    landed = origin + h[:, None] * v
    left, right = 2 * np.arange(m_disc - 1) + 1, 2 * np.arange(m_disc - 1) + 2
    v_second = velocity(landed[left], t[right], h[right])
    u = jax.vmap(mixture.velocity)(z[:-1], t[leaves])

    jacobian = jax.vmap(jax.jacfwd(s), in_axes=(0, 0, 0, None))(origin, t, h, x)
    lipschitz = jnp.linalg.norm(jacobian, ord=2, axis=(-2, -1))
    lipschitz = lipschitz.at[right].max(_secant(v_second - v[right], landed[left] - origin[right]))
    ends = []
    for m in map(int, step_counts(m_disc)):
        points, velocities = euler_path(s, a_0, x, m)
        lipschitz = lipschitz.at[level(m)].max(_secant(velocities - v[level(m)], points[:-1] - origin[level(m)]))
        ends.append(points[-1])

    points = jnp.concatenate([landed, z[:-1] + u / m_disc, z[-1:]])
    k = np.concatenate([start + size, np.arange(m_disc) + 1, [m_disc]])
    t_fine = jnp.linspace(0, 1, fine + 1, dtype=a_0.dtype)
    return Along(
        acceleration=_squared(jax.vmap(acceleration, in_axes=(None, 0, 0))(mixture, path, t_fine)),
        flow_matching=_squared(v[leaves] - u),
        self_consistency=_squared(v[inner] - (v[left] + v_second) / 2),
        lipschitz=lipschitz,
        arrivals=carried(s, points, k, x, m_disc),
        ends=jnp.stack(ends),
        target=z[-1],
    )


def _squared(v: Points) -> Float[Array, " point"]:
    return jnp.sum(v**2, axis=-1)


def _secant(difference: Points, gap: Points) -> Float[Array, " point"]:
    """|difference| / |gap|; 0 for a gap so small that rounding would decide, where the Jacobian speaks."""
    length = jnp.linalg.norm(gap, axis=-1)
    wide = length > jnp.sqrt(jnp.finfo(gap.dtype).eps)
    return jnp.where(wide, jnp.linalg.norm(difference, axis=-1) / jnp.where(wide, length, 1.0), 0.0)
