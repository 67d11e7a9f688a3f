"""How fast this machine trains and evaluates, measured for a moment on made-up data of the right shape."""

import math
import time
from collections.abc import Callable, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from workbench.agents.base import TrainState
from workbench.data.dataset import Dataset, Provenance
from workbench.evaluate.cell import Cell
from workbench.evaluate.evaluation import MAX_LANES
from workbench.evaluate.policy import make_policy, noise_keys
from workbench.evaluate.pool import EnvPool
from workbench.evaluate.worker import Start
from workbench.experiments import train_piece
from workbench.store.spec import RunSpec
from workbench.train import init_seeds

ROWS = 4096


def made_up(obs: int, act: int, rows: int = ROWS) -> Dataset:
    """Noise with the shape of a dataset: its values do not matter where only time is measured."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((rows, obs), np.float32)
    a = rng.uniform(-1, 1, (rows, act)).astype(np.float32)
    ones = np.ones(rows, np.float32)
    return Dataset.build(x, a, -ones, ones, np.arange(rows) < rows - 1, Provenance("arrays", "probe"))


def rate(work: Callable[[int], None], seconds: float) -> float:
    """Repetitions a second of `work(times)`, from a last call of at least `seconds`; the first call is not counted."""
    work(1)
    times, took = 1, 0.0
    while True:
        start = time.perf_counter()
        work(times)
        took = time.perf_counter() - start
        if took >= seconds:
            return times / took
        times = (
            max(2 * times, math.ceil(1.2 * times * seconds / max(took, 1e-9))) if took > 0.05 * seconds else 8 * times
        )


def updates_per_second(spec: RunSpec, obs: int, act: int, *, seconds: float) -> float:
    """Updates a second of a run, all its seeds stepping together; compilation is not counted."""
    agent, weights, data = spec.build_agent(), spec.build_weights(), made_up(obs, act)
    states = [init_seeds(agent, data.example(), spec.seeds)]

    def work(steps: int) -> None:
        state, _ = train_piece(spec, agent, data, weights, states.pop(), steps)
        states.append(jax.block_until_ready(state))

    return rate(work, seconds)


def decisions_per_second(spec: RunSpec, obs: int, act: int, cell: Cell, *, episodes: int, seconds: float) -> float:
    """Decisions a second as an evaluation asks for them, many episodes in one call."""
    agent = spec.build_agent()
    state = init_seeds(agent, made_up(obs, act).example(), spec.seeds)
    seeds = len(spec.seeds)
    lanes = max(1, min(episodes, MAX_LANES // seeds) // 2)
    policy = make_policy(agent, state, (cell,))
    count = np.zeros((seeds, 1, lanes), np.int32)
    keys = noise_keys(jnp.int32(0), jnp.asarray(spec.seeds, jnp.int32), jnp.asarray(count), jnp.asarray(count))
    x = jnp.zeros((seeds, 1, lanes, obs))

    def work(calls: int) -> None:
        for _ in range(calls):
            np.asarray(policy(x, keys).a)

    with spec.arithmetic():
        return rate(work, seconds) * seeds * lanes


def steps_per_second(task: str, *, seconds: float, lanes: int = 8, workers: int | None = None) -> float:
    """Environment steps a second of all workers together, with random actions; starting them is not counted."""
    rng = np.random.default_rng(0)
    with EnvPool(task, lanes, workers=workers) as pool:
        pool.send([], {lane: Start(lane, False) for lane in range(lanes)})
        pool.receive()

        def work(rounds: int) -> None:
            for _ in range(rounds):
                pool.table["a"] = rng.uniform(-1, 1, pool.table["a"].shape)
                ended = np.flatnonzero(pool.table["done"])
                pool.send(range(lanes), {int(lane): Start(int(lane), False) for lane in ended})
                pool.receive()

        return rate(work, seconds) * lanes


def checkpoint_bytes(spec: RunSpec, obs: int, act: int) -> int:
    """Bytes of a run's checkpoint: parameters, targets and optimiser states of all seeds. Nothing is computed."""
    example = eqx.filter_eval_shape(lambda: made_up(obs, act).example())
    state: TrainState = eqx.filter_eval_shape(init_seeds, spec.build_agent(), example, spec.seeds)
    leaves = [leaf for leaf in jax.tree.leaves(state) if isinstance(leaf, jax.ShapeDtypeStruct)]
    return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in leaves)


def best_pack(spec: RunSpec, obs: int, act: int, *, seconds: float) -> int:
    """How many of a spec's seeds train fastest together, a seed: 1, a power of two below their number, or all.

    Measured a moment each; a larger pack must gain a tenth on the best smaller one, since a run that diverges takes the
    other seeds of its pack with it.
    """
    sizes = sorted({len(spec.seeds), *(2**k for k in range(10) if 2**k < len(spec.seeds))})
    rates = [_seed_updates(spec, size, obs, act, seconds) for size in sizes]
    return _choose(sizes, rates)


def _seed_updates(spec: RunSpec, size: int, obs: int, act: int, seconds: float) -> float:
    from dataclasses import replace

    return size * updates_per_second(replace(spec, seeds=spec.seeds[:size]), obs, act, seconds=seconds)


def _choose(sizes: Sequence[int], rates: Sequence[float]) -> int:
    best = 0
    for i in range(1, len(sizes)):
        if rates[i] > 1.1 * rates[best]:
            best = i
    return sizes[best]
