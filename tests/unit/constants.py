"""A batch, networks that answer constants, and losses run on them: what the baselines' terms are worked out on."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from workbench.agents.base import TrainState
from workbench.nets import Critic, Value
from workbench.types import Batch, LossWeights

KEY = jax.random.key(0)
SIZE: dict[str, Any] = {"width": 4, "depth": 1, "key": KEY}
X = jnp.zeros(1)
WEIGHTS = LossWeights(gamma=0.5, alpha=2.0, beta=0.25, ql=3.0)
BATCH = Batch(
    x=jnp.zeros((2, 1)),
    a=jnp.asarray([[0.5, 0.0], [-0.5, 0.0]]),
    r=jnp.asarray([1.0, -1.0]),
    x_next=jnp.ones((2, 1)),
    mask=jnp.asarray([1.0, 0.0]),
    a_next=jnp.asarray([[0.0, 0.5], [0.0, 0.0]]),
)


def answers(net: Any, *values: float) -> Any:
    """A network whose every member ignores its input and answers `values` (one list a member of an ensemble)."""
    arrays, static = eqx.partition(net, eqx.is_array)
    net = eqx.combine(jax.tree.map(jnp.zeros_like, arrays), static)
    if isinstance(net, Critic):
        biases = [jnp.asarray([v]) for v in values]
        return eqx.tree_at(lambda n: [mlp.layers[-1].bias for mlp in n.mlps], net, biases)
    return eqx.tree_at(lambda n: n.mlp.layers[-1].bias, net, jnp.asarray(values))


CRITIC, TARGET = answers(Critic(1, 2, **SIZE), 1.0, 3.0), answers(Critic(1, 2, **SIZE), 2.0, 6.0)
VALUE = answers(Value(1, **SIZE), 4.0)


def state(**nets: Any) -> TrainState:
    """A state with these networks; names that end in _target are targets."""
    targets = {name.removesuffix("_target"): net for name, net in nets.items() if name.endswith("_target")}
    own = {name: net for name, net in nets.items() if not name.endswith("_target")}
    return TrainState(nets=own, targets=targets, opts={}, key=KEY, step=jnp.zeros((), jnp.int32))


@eqx.filter_jit
def run(loss: Any, net: Any, nets: TrainState, batch: Batch = BATCH, weights: LossWeights = WEIGHTS) -> Any:
    """A loss of an agent, and what it tells."""
    return loss(net, nets, batch, weights, key=KEY)


@eqx.filter_jit
def fresh(agent: Any) -> TrainState:
    """A state of random networks for the batch's shapes."""
    return agent.init(jax.tree.map(lambda leaf: leaf[0], BATCH), key=KEY)


def rows(batch: Batch, count: int) -> Batch:
    """The batch many times over, so that means over noise are near their expectation."""
    return jax.tree.map(lambda leaf: jnp.tile(leaf, (count, *[1] * (leaf.ndim - 1))), batch)
