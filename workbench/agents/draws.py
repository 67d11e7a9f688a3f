"""The random numbers of one update of SORL, drawn before its losses, so that losses are plain functions of them."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from workbench.agents.base import SELECTING
from workbench.errors import UnknownNameError, WorkbenchError
from workbench.types import Batch, Key

SPLITS = ("dyadic", "any")
"""What a step is compared with in the self-consistency loss: its halves, or any two steps that make it up."""


def check_splits(splits: str, *, deals: bool) -> None:
    """Raise `UnknownNameError` for another kind, `WorkbenchError` for `any` where a departure deals powers of two."""
    if splits not in SPLITS:
        raise UnknownNameError("kind of splits", splits, SPLITS)
    if splits == "any" and deals:
        raise WorkbenchError(
            "splits='any' has steps of every size, but the departures deal_sc and critic_sees_steps know powers of two "
            "alone: switch them off, or leave splits='dyadic'."
        )


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
    """Where the shortcut is asked: noise, time, and the size of the **whole** step, one a row.

    `first` is the size of the first of the two steps that it is compared with; None is the half.
    """

    a_0: Float[Array, "batch act"]
    t: Float[Array, " batch"]
    h: Float[Array, " batch"]
    first: Float[Array, " batch"] | None = None


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


def draw_flow_matching(batch: Batch, m_disc: int, *, splits: str = "dyadic", key: Key) -> VelocityDraw:
    """t uniform on {0, 1/m_disc, …, 1 - 1/m_disc}, h = 1/m_disc.

    With splits `any`, h is uniform on [1/(2 m_disc), 1/m_disc] and t on [0, 1 - h].
    """
    key_noise, key_t = jax.random.split(key)
    a_0 = jax.random.normal(key_noise, batch.a.shape)
    if splits == "any":
        key_h, key_t = jax.random.split(key_t)
        h = jax.random.uniform(key_h, batch.r.shape, minval=0.5 / m_disc, maxval=1.0 / m_disc)
        return VelocityDraw(a_0, (1.0 - h) * jax.random.uniform(key_t, h.shape), h)
    t = jax.random.randint(key_t, batch.r.shape, 0, m_disc) / m_disc
    return VelocityDraw(a_0, t, jnp.full_like(t, 1.0 / m_disc))


def draw_self_consistency(batch: Batch, m_disc: int, *, deal: bool, splits: str = "dyadic", key: Key) -> VelocityDraw:
    """h over {1, 1/2, …, 2/m_disc}, drawn or dealt in equal shares, t uniform on that step size's own grid.

    With splits `any`, log h is uniform between 1/m_disc and 1, t uniform on [0, 1 - h], and the first of the two steps
    uniform between 1/(2 m_disc) and what leaves as much to the second: no step is asked that is not trained.
    """
    if splits == "any":
        return _draw_any_split(batch, m_disc, key=key)
    key_noise, key_level, key_t = jax.random.split(key, 3)
    rows, levels = len(batch.r), m_disc.bit_length() - 1
    if deal:
        level = jnp.asarray(levels - 1 - np.arange(rows) * levels // rows)
    else:
        level = jax.random.randint(key_level, (rows,), 0, levels)
    intervals = 2**level
    t = jax.random.randint(key_t, (rows,), 0, intervals) / intervals
    return VelocityDraw(jax.random.normal(key_noise, batch.a.shape), t, 1.0 / intervals)


def _draw_any_split(batch: Batch, m_disc: int, *, key: Key) -> VelocityDraw:
    key_noise, key_h, key_first, key_t = jax.random.split(key, 4)
    shape, least = batch.r.shape, 0.5 / m_disc
    h = m_disc ** -jax.random.uniform(key_h, shape)
    first = least + (h - 2.0 * least) * jax.random.uniform(key_first, shape)
    t = (1.0 - h) * jax.random.uniform(key_t, shape)
    return VelocityDraw(jax.random.normal(key_noise, batch.a.shape), t, h, first)


def draw_actor(batch: Batch, m_disc: int, m_btt: int, *, deal_sc: bool, splits: str = "dyadic", key: Key) -> ActorDraw:
    """Draws of the three losses, a key each."""
    key_ql, key_fm, key_sc = jax.random.split(key, 3)
    return ActorDraw(
        draw_sampler(batch, m_btt, key=key_ql),
        draw_flow_matching(batch, m_disc, splits=splits, key=key_fm),
        draw_self_consistency(batch, m_disc, deal=deal_sc, splits=splits, key=key_sc),
        key,
    )
