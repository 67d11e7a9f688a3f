"""FAWAC: a flow that imitates the data's better actions more."""

from functools import partial
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from workbench.agents.base import RATES, TrainState
from workbench.agents.baseline import (
    Loss,
    Maker,
    Told,
    advantage_weights,
    bootstrap,
    decide_by_flow,
    flow_loss,
    flow_samples,
    flow_values,
    td_loss,
    values,
)
from workbench.agents.targets import AbstractSampling
from workbench.nets import Critic, Value, Velocity
from workbench.types import Batch, Budget, Decision, Key, LossWeights


class FAWAC(AbstractSampling):
    r"""Flow advantage-weighted actor-critic (the FQL paper, arXiv 2502.02538, E.2).

    $$L_\pi = \min\big(e^{\alpha (\mathrm{agg}_i Q_i(x, a) - V(x))}, 100\big)\, L_{FM}, \qquad
      L_V = \big(V(x) - \mathrm{agg}_i \bar Q_i(x, a)\big)^2, \qquad
      y = r + \gamma\, \mathrm{mask}\, \mathrm{agg}_i \bar Q_i(x', a'_\pi)$$

    a is the data's action, $a'_\pi$ a sample of the flow, with no gradient. No gradient of Q reaches the flow: mass
    moves, samples do not.

    `value_from_data`: L_V has the data's action, as in the one public code; else a sample of the flow, a_π. V scales
    all weights of an observation alike, until they reach the cap. Which of the two the published scores are of is not
    known: the published α, an inverse temperature tuned on one of these advantages, is a guess for the other.
    """

    name: ClassVar[str] = "fawac"
    knobs: ClassVar[dict[str, str]] = {"alpha": "inverse temperature of the advantage weights", **RATES}
    followed: ClassVar[tuple[str, ...]] = ("critic",)
    value_from_data: bool = eqx.field(static=True, default=True)

    def networks(self, obs: int, act: int) -> dict[str, Maker]:
        return {"actor": partial(Velocity, obs, act, **self.size)} | self.critic_and_value(obs, act)

    def terms(self) -> dict[str, Loss]:
        return {"critic": self.critic_loss, "value": self.value_loss, "actor": self.actor_loss}

    def critic_loss(self, critic: Critic, state: TrainState, batch: Batch, weights: LossWeights, *, key: Key) -> Told:
        """TD error; the next action is a sample of the flow."""
        sample = partial(flow_samples, state.nets["actor"], batch.x_next, batch.a.shape[-1])
        v_next = self.next_values(state, batch.x_next, lambda key: sample(key=key), key=key)
        return td_loss(critic, bootstrap(batch, weights.gamma, v_next), batch)

    def value_loss(self, value: Value, state: TrainState, batch: Batch, weights: LossWeights, *, key: Key) -> Told:
        """Squared error against the target value of the data's action, or of a sample of the flow."""
        v = jax.vmap(value)(batch.x)
        if self.value_from_data:
            q = values(state.targets["critic"], batch.x, batch.a, self.pessimism)
        else:
            q = flow_values(state, batch.x, batch.a.shape[-1], self.pessimism, key=key)
        return jnp.mean((v - q) ** 2), {"v_mean": v.mean()}

    def actor_loss(self, actor: Velocity, state: TrainState, batch: Batch, weights: LossWeights, *, key: Key) -> Told:
        """Flow matching, weighted by how much better than the policy's value the action is."""
        weight = advantage_weights(state, batch, weights.alpha, self.pessimism)
        return flow_loss(actor, batch, key=key, weight=weight), {"advantage_weight": weight.mean()}

    def act(self, state: TrainState, x: Float[Array, " obs"], budget: Budget, *, key: Key) -> Decision:
        return decide_by_flow(state, x, budget, key=key)
