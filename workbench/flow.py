"""Flow matching and shortcut models: pure mathematics of one example; noise lies at time 0, data at time 1.

A shortcut s(a_t, t, h, x) is the mean velocity from time t to t + h, so that a_{t+h} ≈ a_t + h · s. Step sizes h are
fractions of [0, 1]. Functions whose name ends in `_batch` take many examples, the others one.
"""

from collections.abc import Callable
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

Scalar: TypeAlias = Float[Array, ""]
Action: TypeAlias = Float[Array, " act"]
Shortcut: TypeAlias = Callable[[Action, Scalar, Scalar, Float[Array, " obs"]], Action]


def interpolate(a_0: Action, a_1: Action, t: Scalar, *, sigma_min: float = 0.0) -> Action:
    r"""The point at time t on the straight path from noise to data.

    $$a_t = (1 - (1 - \sigma_{min})\, t)\, a_0 + t\, a_1$$

    `sigma_min` > 0 leaves that much noise at t = 1 (the released code uses 1e-5).
    """
    return (1.0 - (1.0 - sigma_min) * t) * a_0 + t * a_1


def mean_of_two_steps(
    s: Shortcut, a_t: Action, t: Scalar, h: Scalar, x: Float[Array, " obs"], h_2: Scalar | None = None
) -> Action:
    r"""What one step of size $h + h_2$ should predict: the mean velocity of a step of size h and one of size $h_2$.

    $$\frac{h\, s(a_t, t, h \mid x) + h_2\, s(a_{t+h}, t+h, h_2 \mid x)}{h + h_2}, \quad
      a_{t+h} = a_t + h\, s(a_t, t, h \mid x)$$

    Without $h_2$ both steps are of size h, and this is $\tfrac12[s(a_t, t, h \mid x) + s(a_{t+h}, t+h, h \mid x)]$: the
    self-consistency loss of SORL. Other splits are those of flow maps and of continuous shortcut models. Requires
    t + h + h_2 ≤ 1. Gradients stop here.
    """
    first = s(a_t, t, h, x)
    second = s(a_t + h * first, t + h, h if h_2 is None else h_2, x)
    if h_2 is None:
        return jax.lax.stop_gradient(0.5 * (first + second))
    return jax.lax.stop_gradient((h * first + h_2 * second) / (h + h_2))


def euler(s: Shortcut, a_0: Action, x: Float[Array, " obs"], m: Int[Array, ""]) -> Action:
    r"""Carry noise to an action by m uniform Euler steps of size 1/m, then clip to [-1, 1].

    $$a_{(j+1)/m} = a_{j/m} + \tfrac1m\, s(a_{j/m}, \tfrac jm, \tfrac1m \mid x)$$

    `m` is traced: changing it never recompiles. Any m ≥ 1 is allowed, also one that is no power of two or is beyond the
    training discretisation; there the network sees a step size it was never trained on and extrapolates in log2(1/h).
    Not differentiable in reverse; for that see `euler_unrolled`.
    """
    return jnp.clip(_carry(s, a_0, x, m), -1.0, 1.0)


def _carry(s: Shortcut, a_0: Action, x: Float[Array, " obs"], m: Int[Array, ""]) -> Action:
    """As `euler`, without the clip."""
    h = 1.0 / m.astype(a_0.dtype)

    def step(j: Int[Array, ""], a_t: Action) -> Action:
        return a_t + h * s(a_t, j * h, h, x)

    return jax.lax.fori_loop(0, m, step, a_0)


def euler_refined(
    s: Shortcut, a_0: Action, x: Float[Array, " obs"], m: Int[Array, ""], eps: Scalar | None
) -> tuple[Action, Int[Array, ""]]:
    r"""As `euler` in 1, 2, 4, … steps, at most m, until twice as many move the end by less than eps; and how many.

    $$r = \| a^{(k)} - a^{(2k)} \|, \qquad k = 1{:}\quad
      r(x, a_0) = \| s(a_0, 0, 1) - \tfrac12 [s(a_0, 0, \tfrac12) + s(a_{1/2}, \tfrac12, \tfrac12)] \|$$

    with ends $a^{(k)}$ of k steps before the clip. The steps that r is measured with are those of the next sampler, so
    the action is theirs: where r < eps, that of 2k steps. Only eps = ∞ needs no r and is `euler` in one step; eps = 0
    is `euler` in m steps, and NaN too, without any r: its numbers to the bit. `m` and `eps` are traced; None is `euler`
    in m steps as a program that has no eps, and compiles in half the time.

    Step counts that are tried add up: 2k steps have cost 4k - 1 evaluations of s, so what is gained is gained where
    most states agree early. Under `vmap` a batch runs until its last row is done: the others keep their action and
    count, but not their time.
    """

    def refine(tried: tuple[Action, Int[Array, ""], Scalar]) -> tuple[Action, Int[Array, ""], Scalar]:
        a, steps, _ = tried
        steps = jnp.minimum(2 * steps, m)
        finer = _carry(s, a_0, x, steps)
        return finer, steps, jnp.linalg.norm(finer - a)

    if eps is None:
        return euler(s, a_0, x, m), m
    first = jnp.where(jnp.isnan(eps), m, 1)
    unknown = jnp.asarray(jnp.finfo(a_0.dtype).max, a_0.dtype)
    tried = _carry(s, a_0, x, first), first, unknown
    a, steps, _ = jax.lax.while_loop(lambda tried: (tried[2] >= eps) & (tried[1] < m), refine, tried)
    return jnp.clip(a, -1.0, 1.0), steps


def euler_unrolled(s: Shortcut, a_0: Action, x: Float[Array, " obs"], m: int) -> Action:
    """As `euler` with a number of steps fixed at trace time; gradients run back through every step and the clip."""
    h = jnp.asarray(1.0 / m, a_0.dtype)
    a_t = a_0
    for j in range(m):
        a_t = a_t + h * s(a_t, jnp.asarray(j / m, a_0.dtype), h, x)
    return jnp.clip(a_t, -1.0, 1.0)


def euler_path(
    s: Shortcut, a_0: Action, x: Float[Array, " obs"], m: int
) -> tuple[Float[Array, "{m}+1 act"], Float[Array, "{m} act"]]:
    """The points a_0, a_{1/m}, …, a_1 of `euler`, **not** clipped at the end, and the velocities that led from each."""
    h = jnp.asarray(1.0 / m, a_0.dtype)

    def step(a_t: Action, j: Scalar) -> tuple[Action, tuple[Action, Action]]:
        v = s(a_t, j * h, h, x)
        return a_t + h * v, (a_t, v)

    end, (points, velocities) = jax.lax.scan(step, a_0, jnp.arange(m, dtype=a_0.dtype))
    return jnp.concatenate([points, end[None]]), velocities


def deal_steps(batch: int, m_max: int, *, every: bool = False) -> np.ndarray:
    """Step counts of the rows of a batch: {m_max, …, 4, 2, 1} in equal shares, largest first; `every` count if asked.

    Dealing has the same expectation as drawing m uniformly for each row, less variance, and static shapes. When the
    levels do not divide the batch, shares differ by one row, and a batch of fewer rows than levels has no small counts.
    """
    levels = range(m_max, 0, -1) if every else [2**k for k in reversed(range(m_max.bit_length()))]
    return np.repeat(levels, [len(part) for part in np.array_split(np.arange(batch), len(levels))])


def euler_dealt_batch(
    s: Shortcut, a_0: Float[Array, "batch act"], x: Float[Array, "batch obs"], m_max: int, *, every: bool = False
) -> Float[Array, "batch act"]:
    """Euler samples whose step counts are dealt over the rows by `deal_steps`; differentiable through every step.

    Step j is one batched call for the rows that still run, so a batch costs the sum of its step counts and no more.
    """
    m = deal_steps(len(a_0), m_max, every=every)
    h = jnp.asarray(1.0 / m, a_0.dtype)
    a_t = a_0
    for j in range(m_max):
        running = int((m > j).sum())
        a_run, h_run = a_t[:running], h[:running]
        a_run = a_run + h_run[:, None] * jax.vmap(s)(a_run, j * h_run, h_run, x[:running])
        a_t = jnp.concatenate([a_run, a_t[running:]]) if running < len(a_0) else a_run
    return jnp.clip(a_t, -1.0, 1.0)


def is_power_of_two(m: int) -> bool:
    """Whether m is 1, 2, 4, 8, …"""
    return m >= 1 and m & (m - 1) == 0
