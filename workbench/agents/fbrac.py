"""FBRAC: a flow that climbs Q through all steps of its sampler, and stays near the data by flow matching."""

from functools import partial
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from workbench.agents.base import RATES, TrainState
from workbench.agents.baseline import (
    Loss,
    Maker,
    Told,
    bootstrap,
    decide_by_flow,
    flow_loss,
    flow_samples,
    td_loss,
    values,
)
from workbench.agents.targets import AbstractSampling
from workbench.nets import Critic, Velocity
from workbench.types import Batch, Budget, Decision, Key, LossWeights


class FBRAC(AbstractSampling):
    r"""Flow behaviour-regularised actor-critic (the FQL paper, arXiv 2502.02538, E.2).

    $$L_\pi = -Q(x, \mathrm{ODE}_\theta(x, z)) + \alpha\, L_{FM}(\theta), \qquad
      y = r + \gamma\, \mathrm{mask}\, \mathrm{agg}_i \bar Q_i(x', \mathrm{ODE}_\theta(x', z'))$$

    Gradients of Q run back through all ten Euler steps: what SORL's shortcuts replace by at most M_BTT of them. The
    public code's L_π differs by a factor of α, which Adam does not see; logged losses are not comparable.
    """

    name: ClassVar[str] = "fbrac"
    knobs: ClassVar[dict[str, str]] = {"alpha": "weight of flow matching against Q", **RATES}
    followed: ClassVar[tuple[str, ...]] = ("critic",)

    def networks(self, obs: int, act: int) -> dict[str, Maker]:
        return {"actor": partial(Velocity, obs, act, **self.size)} | self.critic(obs, act)

    def terms(self) -> dict[str, Loss]:
        return {"critic": self.critic_loss, "actor": self.actor_loss}

    def critic_loss(self, critic: Critic, state: TrainState, batch: Batch, weights: LossWeights, *, key: Key) -> Told:
        """TD error; the next action is a sample of the flow."""
        sample = partial(flow_samples, state.nets["actor"], batch.x_next, batch.a.shape[-1])
        v_next = self.next_values(state, batch.x_next, lambda key: sample(key=key), key=key)
        return td_loss(critic, bootstrap(batch, weights.gamma, v_next), batch)

    def actor_loss(self, actor: Velocity, state: TrainState, batch: Batch, weights: LossWeights, *, key: Key) -> Told:
        """Q of the flow's sample, and flow matching."""
        key_sample, key_fm = jax.random.split(key)
        a_pi = flow_samples(actor, batch.x, batch.a.shape[-1], key=key_sample)
        loss_ql = -jnp.mean(values(state.nets["critic"], batch.x, a_pi))
        loss_fm = flow_loss(actor, batch, key=key_fm)
        return loss_ql + weights.alpha * loss_fm, {"loss_ql": loss_ql, "loss_fm": loss_fm}

    def act(self, state: TrainState, x: Float[Array, " obs"], budget: Budget, *, key: Key) -> Decision:
        return decide_by_flow(state, x, budget, key=key)
