"""The random numbers of one update of SORL, drawn before its losses, so that losses are plain functions of them."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from workbench.agents.base import SELECTING
from workbench.types import Batch, Key


class SamplerDraw(NamedTuple):
    """Noise that the sampler of a batch begins with, and a level: m = 2^level is one step count for the whole batch.

    The level is used by the departure `critic_sees_steps` alone; else step counts are dealt to the rows. A TD target
    with several candidates (`n_td`) has the noise of the others in `more`, and a key for a selection that draws.
    """

    a_0: Float[Array, "batch act"]
    level: Int[Array, ""]
    more: Float[Array, "cand batch act"] | None = None
    key: Key | None = None


class VelocityDraw(NamedTuple):
    """Where the shortcut is asked: noise, time, and the size of the **whole** step, one a row."""

    a_0: Float[Array, "batch act"]
    t: Float[Array, " batch"]
    h: Float[Array, " batch"]


class ActorDraw(NamedTuple):
    """Draws of the actor's three losses, and a key for loss terms of a user's own."""

    ql: SamplerDraw
    fm: VelocityDraw
    sc: VelocityDraw
    own: Key


def draw_sampler(batch: Batch, m_btt: int, *, key: Key) -> SamplerDraw:
    """Noise, and a level uniform on {0, …, log2 m_btt}."""
    key_noise, key_m = jax.random.split(key)
    level = jax.random.randint(key_m, (), 0, m_btt.bit_length())
    return SamplerDraw(jax.random.normal(key_noise, batch.a.shape), level)


def draw_target(batch: Batch, m_btt: int, n: int, *, key: Key) -> SamplerDraw:
    """Draws of the n candidates of a TD target; those of the first are the same whatever n is."""
    first = draw_sampler(batch, m_btt, key=key)
    if n == 1:
        return first
    key_more, key_select = jax.random.split(jax.random.fold_in(key, SELECTING))
    return first._replace(more=jax.random.normal(key_more, (n - 1, *batch.a.shape)), key=key_select)


def draw_flow_matching(batch: Batch, m_disc: int, *, key: Key) -> VelocityDraw:
    """t uniform on {0, 1/m_disc, …, 1 - 1/m_disc}, h = 1/m_disc."""
    key_noise, key_t = jax.random.split(key)
    a_0 = jax.random.normal(key_noise, batch.a.shape)
    t = jax.random.randint(key_t, batch.r.shape, 0, m_disc) / m_disc
    return VelocityDraw(a_0, t, jnp.full_like(t, 1.0 / m_disc))


def draw_self_consistency(batch: Batch, m_disc: int, *, deal: bool, key: Key) -> VelocityDraw:
    """h over {1, 1/2, …, 2/m_disc}, drawn or dealt in equal shares, t uniform on that step size's own grid."""
    key_noise, key_level, key_t = jax.random.split(key, 3)
    rows, levels = len(batch.r), m_disc.bit_length() - 1
    if deal:
        level = jnp.asarray(levels - 1 - np.arange(rows) * levels // rows)
    else:
        level = jax.random.randint(key_level, (rows,), 0, levels)
    intervals = 2**level
    t = jax.random.randint(key_t, (rows,), 0, intervals) / intervals
    return VelocityDraw(jax.random.normal(key_noise, batch.a.shape), t, 1.0 / intervals)


def draw_actor(batch: Batch, m_disc: int, m_btt: int, *, deal_sc: bool, key: Key) -> ActorDraw:
    """Draws of the three losses, a key each."""
    key_ql, key_fm, key_sc = jax.random.split(key, 3)
    return ActorDraw(
        draw_sampler(batch, m_btt, key=key_ql),
        draw_flow_matching(batch, m_disc, key=key_fm),
        draw_self_consistency(batch, m_disc, deal=deal_sc, key=key_sc),
        key,
    )
