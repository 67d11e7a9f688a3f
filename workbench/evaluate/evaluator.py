"""Evaluation: every live episode of every cell and seed in one policy call, environments in worker processes."""

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import pandas as pd
from tqdm import tqdm

from workbench.agents.base import AbstractAgent, TrainState
from workbench.data.catalogue import parse_task
from workbench.evaluate.cell import Cell
from workbench.evaluate.lanes import LaneBook, Plan
from workbench.evaluate.policy import Policy, make_policy, measure_act_ms, noise_keys
from workbench.evaluate.pool import EnvPool
from workbench.evaluate.rollout import Rollout

MAX_LANES = 64
"""Most environments alive at once; each costs some 60 MB."""


@dataclass(frozen=True)
class Evaluation:
    """`episodes`: one row an episode. `rollouts`: the episodes that were recorded, for videos."""

    episodes: pd.DataFrame
    rollouts: list[Rollout]


def evaluate_policy(
    agent: AbstractAgent,
    state: TrainState,
    task: str,
    cells: Sequence[Cell],
    *,
    seeds: Sequence[int],
    episodes: int,
    workers: int | None = None,
    success_timing: str = "post",
    max_lanes: int = MAX_LANES,
    record: int = 0,
    key_seed: int = 0,
    episode_limit: int | None = None,
    progress: bool = True,
) -> Evaluation:
    """Play `episodes` episodes of every training seed in `state` under every cell.

    Success is `info["success"]` at any step. The start of an episode and the noise of its actions follow from
    (key_seed, seed, episode, step) alone: all cells meet the same starts and noise. The number of workers does not
    matter; the number of lanes does only where a matrix product's last bit depends on the size of its batch.
    `act_ms` is the median time of one decision for one observation, measured apart. The first `record` episodes of
    each seed and cell are kept for videos.
    """
    act_ms = measure_act_ms(agent, state, cells, parse_task(task)[0].obs)
    book = LaneBook(Plan(task, cells, seeds, episodes, record, key_seed, success_timing, act_ms), max_lanes)
    policy = make_policy(agent, state, cells, diagnostics=record > 0)
    pool = EnvPool(task, book.lanes, workers=workers, success_timing=success_timing, episode_limit=episode_limit)
    with pool, tqdm(total=book.total, unit="episode", desc="evaluate", disable=not progress) as bar:
        _play(book, pool, policy, bar)
    rows, rollouts = book.results()
    return Evaluation(pd.DataFrame(rows), rollouts)


def _play(book: LaneBook, pool: EnvPool, policy: Policy, bar: tqdm) -> None:
    """Play every episode; the groups of lanes take turns, so that one is decided while the other is stepped."""
    key_seed, seeds = jnp.asarray(book.plan.key_seed), jnp.asarray(book.plan.seeds)
    for group in book.groups:
        pool.send([], book.begin(group))
    while book.busy:
        for group in book.groups:
            bar.update(book.settle(group, pool.table, pool.receive()))
            live = book.stepping(group)
            if live:
                episode, step = (counts[group].reshape(book.shape) for counts in (book.episode, book.step))
                x = pool.table["x"][group].reshape(*book.shape, -1)
                choice = jax.device_get(policy(jnp.asarray(x), noise_keys(key_seed, seeds, episode, step)))
                pool.table["a"][group] = book.decide(group, choice)
            pool.send(live, book.begin(group))
