"""Success, return and time of a policy over a grid of inference budgets, many episodes at a time."""

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.agents.base import AbstractAgent, TrainState
from workbench.data.catalogue import cut_at, parse_task
from workbench.errors import WorkbenchError
from workbench.evaluate.cell import Cell
from workbench.evaluate.lanes import LaneBook, Plan
from workbench.evaluate.policy import Choice, Policy, make_policy, measure_act_ms, noise_keys
from workbench.evaluate.pool import EnvPool
from workbench.evaluate.rollout import Rollout
from workbench.progress import progress_bar
from workbench.stopping import Interrupted, stop_request

if TYPE_CHECKING:
    import pandas as pd

MAX_LANES = 64
"""Environments that live at once, by default; one of a manipulation task takes 60 MB."""


@dataclass(frozen=True)
class Evaluation:
    """Episodes of an evaluation, one row each, ordered by seed, cell and episode, and those that were recorded.

    Columns: task, seed, m_inf, n, verifier, episode, return (sum of rewards), success (at any step), length (steps),
    seconds (wall time while other episodes ran beside it), act_ms (of one decision alone), success_timing,
    episode_limit (steps after which episodes were cut short, 0 where the task's own limit ended them), key_seed.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    rollouts: list[Rollout] = field(default_factory=list)

    def table(self) -> "pd.DataFrame":
        """The rows as a long table."""
        import pandas as pd

        return pd.DataFrame(self.rows)


def evaluate(
    agent: AbstractAgent,
    state: TrainState,
    task: str,
    cells: Sequence[Cell],
    *,
    seeds: Sequence[int],
    episodes: int,
    max_lanes: int = MAX_LANES,
    record: int = 0,
    into: Evaluation | None = None,
    done: Collection[tuple[int, Cell, int]] = (),
    **settings: Any,
) -> Evaluation:
    """Evaluate every seed of `state` (leading `seed` axis, in the order of `seeds`) in every cell.

    Cells that do not fit into `max_lanes` together are evaluated one group after another. What comes of it is added to
    `into`, whatever ends it; episodes in `done` are not played. For the other settings and what is repeatable see
    `evaluate_policy`. The first Ctrl-C or SIGTERM lets the episodes under way end, and then raises `Interrupted`.
    """
    size = max(1, max_lanes // len(seeds))
    found = Evaluation() if into is None else into
    wanted = len(found.rows) + len(cells) * len(seeds) * episodes - len(done)
    with stop_request("stops after the episodes under way") as stop:
        act_ms = measure_act_ms(agent, state, cells, parse_task(task)[0].obs)
        for start in range(0, len(cells), size):
            block = cells[start : start + size]
            policy = make_policy(agent, state, block, diagnostics=record > 0)
            evaluate_policy(
                policy,
                task,
                block,
                seeds=seeds,
                episodes=episodes,
                max_lanes=max_lanes,
                record=record,
                act_ms=act_ms,
                into=found,
                done=done,
                stop=stop,
                **settings,
            )
    if len(found.rows) < wanted:
        raise Interrupted("the evaluation was stopped.")
    return found


def evaluate_policy(
    policy: Policy,
    task: str,
    cells: Sequence[Cell],
    *,
    seeds: Sequence[int],
    episodes: int,
    workers: int | None = None,
    success_timing: str = "post",
    max_lanes: int = MAX_LANES,
    record: int = 0,
    progress: bool = True,
    key_seed: int = 0,
    first_episode: int = 0,
    episode_limit: int | None = None,
    act_ms: Mapping[Cell, float] | None = None,
    into: Evaluation | None = None,
    done: Collection[tuple[int, Cell, int]] = (),
    stop: threading.Event | None = None,
) -> Evaluation:
    """Run `episodes` episodes of every seed and cell, at most `max_lanes` at a time, in `workers` processes.

    Every (seed, cell) has the same number of lanes, and a lane takes the next episode when it has finished one; lanes
    without work keep their place, so shapes never change. The lanes form two groups, and while the policy decides for
    one the workers step the other. The physics and decisions of the first `record` episodes of each are kept, which
    needs a policy with diagnostics.

    Episodes are numbered from `first_episode`. The first state of one depends on (key_seed, seed, episode) and its
    noise on these and the step, not on the cell: cells are compared on common random numbers. The number of workers
    changes nothing, bit for bit. The number of lanes (hence of cells and seeds) changes the shapes XLA compiles for, so
    it can change the last bits of an action, and a long contact-rich episode may then end otherwise: equal in
    distribution, not in every episode. Neither is a processor or MuJoCo version promised to repeat another's bits.

    Episodes that have ended are added to `into` even where an exception ends the others; those in `done` (seed, cell,
    number) are not played, and none is begun once `stop` is set.

    Raises `WorkbenchError` when there is nothing to evaluate, `DivergedError` when the policy answers NaN, and
    `WorkerError` when a worker fails.
    """
    if episodes < 1 or not cells or not seeds:
        raise WorkbenchError("nothing to evaluate: give at least one cell, one seed and one episode.")
    found = Evaluation() if into is None else into
    plan = Plan(task, cells, seeds, episodes, record, key_seed, success_timing, act_ms or {}, first_episode, done)
    book = LaneBook(plan, max_lanes)
    if not book.total or (stop and stop.is_set()):
        return found
    bar = progress_bar(total=book.total, desc=task, unit="episode", shown=progress)
    settings = {"workers": workers, "success_timing": success_timing, "episode_limit": episode_limit}

    def ended(count: int) -> None:
        bar.update(count)
        if stop and stop.is_set():
            book.close()

    try:
        with EnvPool(task, book.lanes, **settings) as pool, bar:
            play(policy, book, pool, ended)
    finally:
        rows, rollouts = book.results()
        meaning = {"episode_limit": cut_at(task, episode_limit), "key_seed": key_seed}
        found.rows.extend(row | meaning for row in rows)
        found.rollouts.extend(rollouts)
    return found


def play(policy: Policy, book: LaneBook, pool: EnvPool, ended: Callable[[int], object]) -> None:
    """Play all episodes of a book in a pool with as many lanes; no order is in flight before or afterwards.

    `ended` is told after each answer how many episodes ended with it. It may raise, and then the pool must be closed.
    """
    for group in book.groups:
        pool.send([], book.begin(group))
    while book.busy:
        for group in book.groups:
            traces = pool.receive()
            ended(book.settle(group, pool.table, traces))
            steps = book.stepping(group)
            if steps:
                pool.table["a"][group] = book.decide(group, _choose(policy, book, group, pool.table))
            pool.send(steps, book.begin(group))
    for _ in book.groups:
        pool.receive()


def _choose(policy: Policy, book: LaneBook, group: slice, table: np.ndarray) -> Choice:
    """One policy call for a group of lanes."""
    shape, plan = book.shape, book.plan
    counts = (each[group].reshape(shape) for each in (book.episode, book.step))
    keys = noise_keys(np.int32(plan.key_seed), np.asarray(plan.seeds, np.int32), *counts)
    return policy(table["x"][group].copy().reshape(*shape, -1), keys)
