"""Steps of any size beside dyadic ones: what a policy that imitates a mixture does in 1, 2, 3, …, 8 steps."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Float

from workbench.agents.draws import SPLITS
from workbench.data.toy import Mixture, make_toy, toy
from workbench.flow import Shortcut, euler, mean_of_two_steps
from workbench.studies.mixture import FULL as MIXTURE
from workbench.studies.mixture import SMOKE as SMALL
from workbench.studies.mixture import TOY, Row, Size, X, narrow_sorl, while_training
from workbench.theory.along import exact_path
from workbench.theory.wasserstein import wasserstein_2

FULL = dataclasses.replace(MIXTURE, steps=(4000, 6000))
SMOKE = dataclasses.replace(SMALL, steps=(0, 100))
COUNTS = range(1, 9)
FINE = 840
"""Runge-Kutta steps of the exact flow: a multiple of every count, so that each of their times is among its points."""


def any_steps(smoke: bool = False) -> dict[str, pd.DataFrame]:
    """The table `any_steps`: a row for either kind of `splits`, each `seed` and each step count `m_inf` of 1 to 8.

    SORL (small, narrower and deeper) learns eight Gaussians with w_ql = 0, and is measured after the last update on
    `draws` paths Z_t of the exact flow, at the times t = j/M of M steps of size h = 1/M. Root mean squares, in action
    units per unit of flow time, of

    - `error`: s(Z_t, t, h) against the exact mean velocity over the step, $(Z_{t+h} - Z_t)/h$;
    - `self_consistency`: s(Z_t, t, h) against two steps of s of half the size;
    - `flow_matching`: s(Z_t, t, 1/M_disc) against the exact velocity $u_t(Z_t)$ at t = j/M_disc, the same for every M.

    `w2` is the distance of `samples` actions of M steps from as many draws of the mixture, and `w2_floor` that of the
    ends of the exact flow from the same draws.
    """
    size = SMOKE if smoke else FULL
    target = toy(TOY).mixture_at(X)
    data, _ = make_toy(TOY, rows=size.rows, seed=0)
    key_noise, key_data = jax.random.split(jax.random.key(0))
    a_0 = jax.random.normal(key_noise, (size.draws, 2))
    path = _exact(target, a_0)
    draws = np.asarray(jax.vmap(lambda key: target.sample(key=key))(jax.random.split(key_data, size.samples)))
    floor = wasserstein_2(np.asarray(path[-1, : size.samples]), draws)
    rows = []
    for splits in SPLITS:
        agent = dataclasses.replace(narrow_sorl(size), splits=splits)
        for where, actor in while_training(agent, data, size):
            if where["step"] == size.steps[-1]:
                fixed = {"splits": splits} | where | {"draws": size.draws, "w2_floor": floor}
                rows += [fixed | row for row in _measured(actor, target, path, draws, agent.m_disc, size)]
    return {"any_steps": pd.DataFrame(rows)}


def _measured(
    s: Shortcut,
    target: Mixture,
    path: Float[Array, "point row act"],
    draws: Float[np.ndarray, "sample act"],
    m_disc: int,
    size: Size,
) -> list[Row]:
    """A row for each step count."""
    times = [(j / m, 1 / m, j * FINE // m, (j + 1) * FINE // m) for m in COUNTS for j in range(m)]
    t, h, begin, end = (jnp.asarray(each) for each in zip(*times, strict=True))
    squares = np.asarray(_squares(s, path, (t, h, begin, end)))
    finest = np.arange(m_disc) / m_disc
    flow_matching = float(jnp.sqrt(_flow_matching(s, target, path, jnp.asarray(finest)).mean()))
    ends = _ends(s, path[0, : size.samples], jnp.asarray(COUNTS))
    rows = []
    for m, arrived in zip(COUNTS, np.asarray(ends), strict=True):
        error, consistency = np.sqrt(squares[np.isclose(h, 1 / m)].mean(axis=0)).tolist()
        row = {"m_inf": m, "error": error, "self_consistency": consistency, "flow_matching": flow_matching}
        rows.append(row | {"w2": wasserstein_2(arrived, draws)})
    return rows


@eqx.filter_jit
def _exact(target: Mixture, a_0: Float[Array, "row act"]) -> Float[Array, "point row act"]:
    return jax.vmap(lambda a_0: exact_path(target, a_0, FINE), out_axes=1)(a_0)


@eqx.filter_jit
def _squares(s: Shortcut, path: Float[Array, "point row act"], times: tuple[Array, ...]) -> Float[Array, "time 2"]:
    """Of every step that times name, the mean square of `error` and of `self_consistency`."""

    def one(each: tuple[Array, ...]) -> Float[Array, "2"]:
        t, h, begin, end = each
        v = jax.vmap(lambda z: s(z, t, h, X))(path[begin])
        halves = jax.vmap(lambda z: mean_of_two_steps(s, z, t, h / 2, X))(path[begin])
        exact = (path[end] - path[begin]) / h
        return jnp.stack([jnp.sum((v - other) ** 2, axis=-1).mean() for other in (exact, halves)])

    return jax.lax.map(one, times)


@eqx.filter_jit
def _flow_matching(
    s: Shortcut, target: Mixture, path: Float[Array, "point row act"], t: Float[Array, " grid"]
) -> Float[Array, " grid"]:
    """The mean square of the finest step against the exact velocity, at each t."""
    h = jnp.asarray(1 / len(t), path.dtype)

    def one(t: Float[Array, ""]) -> Float[Array, ""]:
        z = path[jnp.round(t * FINE).astype(int)]
        return jnp.sum(jax.vmap(lambda z: s(z, t, h, X) - target.velocity(z, t))(z) ** 2, axis=-1).mean()

    return jax.lax.map(one, t)


@eqx.filter_jit
def _ends(s: Shortcut, a_0: Float[Array, "row act"], counts: Array) -> Float[Array, "count row act"]:
    return jax.lax.map(lambda m: jax.vmap(lambda a_0: euler(s, a_0, X, m))(a_0), counts)
