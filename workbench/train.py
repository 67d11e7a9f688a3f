"""The training loop: many updates in one jitted call, batches drawn on device, seeds as a leading axis."""

from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Int, Key

from workbench.agents.base import AbstractAgent, TrainState
from workbench.data.dataset import Dataset
from workbench.schedules import WeightSchedule
from workbench.types import Batch, LossWeights, Metrics, as_int32


class ChunkReport(eqx.Module):
    """What a chunk of updates tells: each metric's mean over the chunk, and where it first stopped being finite.

    Leaves have a leading `seed` axis. `first_bad` holds the 1-based update number, 0 where all was finite. The mean of
    no update is 0.
    """

    mean: Metrics
    first_bad: dict[str, Int[Array, " *seed"]]

    def failure(self) -> tuple[int, tuple[str, ...]] | None:
        """The first update at which some metric of some seed was not finite, and those metrics; None where all were."""
        found = {name: np.asarray(first) for name, first in self.first_bad.items()}
        bad = {name: int(first[first > 0].min()) for name, first in found.items() if (first > 0).any()}
        if not bad:
            return None
        step = min(bad.values())
        return step, tuple(sorted(name for name, first in bad.items() if first == step))


def init_seeds(agent: AbstractAgent, example: Batch, seeds: tuple[int, ...]) -> TrainState:
    """A fresh state for each seed, stacked on a leading `seed` axis; `example` is one transition."""
    return _init_seeds(agent, example, jnp.stack([jax.random.key(seed) for seed in seeds]))


@eqx.filter_jit
def _init_seeds(agent: AbstractAgent, example: Batch, keys: Key[Array, " seed"]) -> TrainState:
    return eqx.filter_vmap(lambda key: agent.init(example, key=key))(keys)


def _one_seed(
    agent: AbstractAgent,
    data: Dataset,
    batch_size: int,
    num_steps: Int[Array, ""],
    schedule: WeightSchedule | None,
    weights: LossWeights,
    state: TrainState,
) -> tuple[TrainState, ChunkReport]:
    def one_update(state: TrainState) -> tuple[TrainState, Metrics]:
        key, key_batch = jax.random.split(state.key)
        batch = data.sample(batch_size, key=key_batch)
        now = weights if schedule is None else schedule.with_weights(weights, state.step)
        return agent.update(eqx.tree_at(lambda s: s.key, state, key), batch, now)

    arrays, static = eqx.partition(state, eqx.is_array)

    @partial(jax.jit, inline=True)  # so that asking for the names and running it share one trace
    def of_arrays(arrays):
        state, metrics = one_update(eqx.combine(arrays, static))
        return eqx.filter(state, eqx.is_array), metrics

    names = list(jax.eval_shape(of_arrays, arrays)[1])

    def body(_: Int[Array, ""], carry):
        arrays, total, first_bad = carry
        arrays, metrics = of_arrays(arrays)
        values = jnp.stack([metrics[name] for name in names])
        first_bad = jnp.where((first_bad == 0) & ~jnp.isfinite(values), arrays.step, first_bad)
        return arrays, total + values, first_bad

    start = (arrays, jnp.zeros(len(names)), jnp.zeros(len(names), jnp.int32))
    arrays, total, first_bad = jax.lax.fori_loop(0, num_steps, body, start)
    mean = total / jnp.maximum(num_steps, 1)
    report = ChunkReport(dict(zip(names, mean, strict=True)), dict(zip(names, first_bad, strict=True)))
    return eqx.combine(arrays, static), report


def one_seed(tree: Any, i: int = 0) -> Any:
    """A state or network of several seeds for the i-th of them: its arrays without the leading `seed` axis."""
    return jax.tree.map(lambda leaf: leaf[i] if eqx.is_array(leaf) else leaf, tree)


def over_seeds(function, weights: LossWeights, state: TrainState):
    """Call `function(weights, state)` for every seed as one program; weights may be shared or one a seed.

    A single seed runs without the axis: a batched matrix product of size one is slower on CPU.
    """
    if state.step.shape[0] == 1:
        weights = jax.tree.map(lambda leaf: leaf[0] if leaf.ndim else leaf, weights)
        done = function(weights, one_seed(state))
        return jax.tree.map(lambda leaf: leaf[None] if eqx.is_array(leaf) else leaf, done)
    axes = jax.tree.map(lambda leaf: 0 if leaf.ndim else None, weights)
    return eqx.filter_vmap(function, in_axes=(axes, eqx.if_array(0)))(weights, state)


def spread(state: TrainState, *data: Dataset) -> tuple[Any, ...]:
    """Seeds dealt evenly over the devices of this process, and a copy of each dataset on every one of them.

    The most devices that divide the number of seeds take part; where that is one, everything stays where it is. What is
    trained is the same up to float32 rounding. Returns the state and the datasets.
    """
    devices, seeds = jax.local_devices(), state.step.shape[0]
    count = max(n for n in range(1, len(devices) + 1) if seeds % n == 0)
    if count == 1:
        return state, *data
    mesh = Mesh(np.array(devices[:count]), ("seed",))
    seed, everywhere = (NamedSharding(mesh, PartitionSpec(*axes)) for axes in (("seed",), ()))
    return eqx.filter_shard(state, seed), *(eqx.filter_shard(each, everywhere) for each in data)


@eqx.filter_jit
def _train_chunk(agent, data, weights, state, num_steps, batch_size, schedule):
    return over_seeds(partial(_one_seed, agent, data, batch_size, num_steps, schedule), weights, state)


def train_chunk(
    agent: AbstractAgent,
    data: Dataset,
    weights: LossWeights,
    state: TrainState,
    num_steps: int,
    batch_size: int = 256,
    schedule: WeightSchedule | None = None,
) -> tuple[TrainState, ChunkReport]:
    """Run `num_steps` updates of every seed on device, with `weights` but for those that a `schedule` changes.

    Weights, the numbers of a schedule and the number of steps are traced: none recompiles. How updates are cut into
    chunks does not change the result, because each draws its batch and noise from the key in the state.
    """
    return _train_chunk(agent, data, weights, state, as_int32(num_steps), batch_size, schedule)


@eqx.filter_jit
def _validate(agent, data, weights, state, batch_size):
    def one(weights: LossWeights, state: TrainState) -> Metrics:
        key = jax.random.key(0)
        return agent.validate(state, data.sample(batch_size, key=key), weights, key=jax.random.fold_in(key, 1))

    return over_seeds(one, weights, state)


def validate(
    agent: AbstractAgent, data: Dataset, weights: LossWeights, state: TrainState, batch_size: int = 1024
) -> Metrics:
    """Losses of every seed on one fixed batch of held-out data."""
    return _validate(agent, data, weights, state, batch_size)
