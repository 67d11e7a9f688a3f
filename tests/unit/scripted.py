"""An agent without training, for tests of what is built around agents."""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from workbench.agents.base import AbstractAgent, TrainState, decide
from workbench.types import Batch, Budget, Decision, Key, LossWeights, Metrics

TRACES: list[str] = []
"""One entry for each time that `act` was traced."""


class Scripted(AbstractAgent):
    """Acts at random around a bias that differs by seed; its critic likes small actions."""

    name: ClassVar[str] = "scripted"
    knobs: ClassVar[dict[str, str]] = {}
    act_size: int = eqx.field(static=True, default=5)

    def init(self, example: Batch, *, key: Key) -> TrainState:
        """A state without a bias."""
        return TrainState({"bias": jnp.zeros(self.act_size)}, {}, {}, key=key, step=jnp.zeros((), jnp.int32))

    def update(self, state: TrainState, batch: Batch, weights: LossWeights) -> tuple[TrainState, Metrics]:
        """Counts updates and learns nothing."""
        return eqx.tree_at(lambda s: s.step, state, state.step + 1), {}

    def validate(self, state: TrainState, batch: Batch, weights: LossWeights, *, key: Key) -> Metrics:
        """Nothing to tell."""
        return {}

    def act(self, state: TrainState, x: Float[Array, " obs"], budget: Budget, *, key: Key) -> Decision:
        """Noise with the state's bias, smaller with more steps."""
        TRACES.append("act")

        def sample(key: Key) -> Float[Array, " act"]:
            noise = jax.random.normal(key, (self.act_size,)) / budget.m_inf
            return jnp.tanh(noise + state.nets["bias"] + 0.1 * x[0])

        return decide(sample, lambda a: -jnp.sum(a**2), budget, key=key)

    def states(self, seeds: tuple[int, ...]) -> TrainState:
        """A state with a leading `seed` axis."""

        def one(seed: Int[Array, ""]) -> TrainState:
            bias = 0.1 * seed * jnp.ones(self.act_size)
            return TrainState({"bias": bias}, {}, {}, key=jax.random.key(seed), step=jnp.zeros((), jnp.int32))

        return jax.vmap(one)(jnp.asarray(seeds))
