"""A policy that learns to imitate a mixture, whose exact flow is known: the W2 bound and its terms, as tables."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Float

from workbench.agents.presets import preset
from workbench.agents.sorl import SORL
from workbench.data.dataset import Dataset
from workbench.data.toy import Mixture, make_toy, toy
from workbench.flow import Shortcut, euler_path
from workbench.theory import W2Report, flow_matching_profile, measure, self_consistency_grid, step_gap, straightness
from workbench.theory.along import exact_path
from workbench.theory.bound import FLOW_STEPS
from workbench.theory.dyadic import step_counts
from workbench.train import init_seeds, one_seed, train_chunk

TOY = "eight_gaussians"
X = jnp.zeros(1)
LR, LATE_LR = 3e-3, 3e-4
EXACT = 0
"""`m_inf` of the data and of the exact flow, where those of the policy are 1, 2, 4, …"""

Row = dict[str, int | float]


@dataclasses.dataclass(frozen=True)
class Size:
    """How much of everything; `network` replaces fields of the agent.

    At each of `steps` is measured; up to the last but one the learning rate is `LR`, from there on `LATE_LR`.
    """

    seeds: tuple[int, ...]
    steps: tuple[int, ...]
    rows: int
    draws: int
    samples: int
    paths: int
    network: dict[str, int]


FULL = Size(
    seeds=(0, 1, 2),
    steps=(0, 250, 500, 1000, 2000, 4000, 8000, 12_000),
    rows=50_000,
    draws=2000,
    samples=1500,
    paths=60,
    network={"width": 128, "depth": 3},
)
SMOKE = Size(seeds=(0, 1), steps=(0, 100), rows=500, draws=200, samples=50, paths=4, network={"width": 16, "m_disc": 4})


def mixture(smoke: bool = False) -> dict[str, pd.DataFrame]:
    """SORL (small, narrower and deeper) learns eight Gaussians with w_ql = 0. Each table has `seed`, `step` and `lr`.

    - `mixture_bound`: `W2Report.table`, with `m_inf` for M and `draws` for n.
    - `mixture_self_consistency`: `error` of a step of size `two_h` from `t`, as `self_consistency_grid`.
    - `mixture_flow_matching`: at `t`, `error` as `flow_matching_profile`, and `error_exact` against the exact velocity.
    - `mixture_sampler`: by `m_inf`, means of `straightness` and of `step_gap` to M_disc steps (`gap`).
    - `mixture_samples`: `a_1`, `a_2` of the data (`m_inf` = 0) and of the policy; first seed, last update.
    - `mixture_paths`: the points of each `path` at `t`, from the same noise for every `m_inf` and for the exact flow
      (`m_inf` = 0); first seed, last update.

    Errors are root mean squares over held-out data, in action units per unit of flow time. Q is trained and has no say.
    """
    size = SMOKE if smoke else FULL
    target = toy(TOY).mixture_at(X)
    data, held_out = make_toy(TOY, rows=size.rows, seed=0)
    agent = narrow_sorl(size)
    tables: dict[str, list[Row]] = {}
    shown: dict[str, pd.DataFrame] = {}
    for where, actor in while_training(agent, data, size):
        for name, rows in _measured(actor, target, held_out, agent.m_disc, size.draws).items():
            tables.setdefault(name, []).extend(where | row for row in rows)
        if (where["seed"], where["step"]) == (size.seeds[0], size.steps[-1]):
            shown = {name: _in_front(table, where) for name, table in _shown(actor, target, agent.m_disc, size).items()}
    return {name: pd.DataFrame(rows) for name, rows in tables.items()} | shown


def narrow_sorl(size: Size) -> SORL:
    """The small preset; with w_ql = 0 its critic and M_BTT do not count, so they are as cheap as can be."""
    agent = preset("sorl", "small", "toy").agent
    assert isinstance(agent, SORL)
    fields: dict[str, Any] = {"m_btt": 1, "ensemble": 1} | size.network
    return dataclasses.replace(agent, **fields)


def while_training(agent: SORL, data: Dataset, size: Size) -> Iterator[tuple[Row, Shortcut]]:
    """Seed, updates done and the learning rate that led there, and the actor that the seed then has."""
    start = preset("sorl", "small", "toy")
    state, done = init_seeds(agent, data.example(), size.seeds), 0
    for step in size.steps:
        lr = LATE_LR if step == size.steps[-1] else LR
        if step > done:
            weights = dataclasses.replace(start.weights, ql=0.0, lr=lr)
            state, _ = train_chunk(agent, data, weights, state, step - done, start.batch_size)
            done = step
        for i, seed in enumerate(size.seeds):
            yield {"seed": seed, "step": step, "lr": lr}, one_seed(state.nets["actor"], i)


def _measured(s: Shortcut, target: Mixture, held_out: Dataset, m_disc: int, draws: int) -> dict[str, list[Row]]:
    """Rows of one actor for the tables that follow training."""
    key_noise, key_bound = jax.random.split(jax.random.key(0))
    batch = jax.vmap(held_out.transition)(jnp.arange(held_out.size))
    a_0 = jax.random.normal(key_noise, batch.a.shape)
    report = measure(s, target, X, m_disc=m_disc, samples=draws, key=key_bound)
    flow_matching = np.asarray(flow_matching_profile(s, batch.x, a_0, batch.a, m_disc=m_disc))
    gap = np.asarray(step_gap(s, batch.x, a_0, m_inf=report.m.tolist(), m_disc=m_disc)).mean(axis=1)
    bend = [float(straightness(s, batch.x, a_0, m=m).mean()) for m in report.m.tolist()]
    return {
        "mixture_bound": _bound(report),
        "mixture_self_consistency": _levels(np.asarray(self_consistency_grid(s, batch.x, a_0, batch.a, m_disc=m_disc))),
        "mixture_flow_matching": [
            {"t": float(t), "error": float(error), "error_exact": float(exact)}
            for t, error, exact in zip(report.t, flow_matching, report.eps_fm, strict=True)
        ],
        "mixture_sampler": [
            {"m_inf": int(m), "straightness": bent, "gap": float(missed)}
            for m, bent, missed in zip(report.m, bend, gap, strict=True)
        ],
    }


def _bound(report: W2Report) -> list[Row]:
    names = {"M": "m_inf", "n": "draws"}
    return [{names.get(name, name): value for name, value in row.items()} for row in report.table()]


def _levels(grid: Float[np.ndarray, "level grid"]) -> list[Row]:
    """A row for each time that a step size has; see `self_consistency_grid`."""
    level, column = np.nonzero(~np.isnan(grid))
    return [
        {"two_h": 0.5**i, "t": k / grid.shape[1], "error": float(grid[i, k])}
        for i, k in zip(level.tolist(), column.tolist(), strict=True)
    ]


def _shown(s: Shortcut, target: Mixture, m_disc: int, size: Size) -> dict[str, pd.DataFrame]:
    """Actions of the data and the policy, and paths; all rounded to four digits."""
    key_noise, key_data = jax.random.split(jax.random.key(1))
    a_0 = jax.random.normal(key_noise, (size.samples, 2))
    data = jax.vmap(lambda key: target.sample(key=key))(jax.random.split(key_data, size.samples))
    samples, paths = [_points(EXACT, jnp.clip(data, -1, 1))], [_paths(EXACT, _exact(target, a_0[: size.paths]))]
    for m in step_counts(m_disc).tolist():
        points = _steps(s, a_0, m)
        samples.append(_points(m, points[:, -1]))
        paths.append(_paths(m, points[: size.paths]))
    tables = {"mixture_samples": samples, "mixture_paths": paths}
    return {name: pd.concat(parts, ignore_index=True) for name, parts in tables.items()}


@eqx.filter_jit
def _steps(s: Shortcut, a_0: Float[Array, "row act"], m: int) -> Float[Array, "row point act"]:
    """Every point of the m-step sampler, whose last is clipped as in `flow.euler`."""
    points = jax.vmap(lambda a_0: euler_path(s, a_0, X, m)[0])(a_0)
    return points.at[:, -1].set(jnp.clip(points[:, -1], -1, 1))


@eqx.filter_jit
def _exact(target: Mixture, a_0: Float[Array, "row act"]) -> Float[Array, "row point act"]:
    """The exact flow at 33 times."""
    return jax.vmap(lambda a_0: exact_path(target, a_0, FLOW_STEPS)[:: FLOW_STEPS // 32])(a_0)


def _points(m_inf: int, a: Float[Array, "row act"]) -> pd.DataFrame:
    table = pd.DataFrame(np.asarray(a, float).round(4), columns=["a_1", "a_2"])
    return _in_front(table, {"m_inf": m_inf})


def _paths(m_inf: int, points: Float[Array, "row point act"]) -> pd.DataFrame:
    rows, count, act = points.shape
    table = _points(m_inf, points.reshape(rows * count, act))
    table.insert(1, "path", np.repeat(np.arange(rows), count))
    table.insert(2, "t", np.tile(np.arange(count) / (count - 1), rows))
    return table


def _in_front(table: pd.DataFrame, columns: Row) -> pd.DataFrame:
    """The table with constant columns before its own."""
    return pd.DataFrame(columns, index=table.index).join(table)
