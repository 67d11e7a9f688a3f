"""FQL: a flow imitates the data, and a one-step policy distils it while it climbs Q."""

from functools import partial
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from workbench.agents.base import RATES, TrainState, decide, judge
from workbench.agents.baseline import (
    FLOW_STEPS,
    Loss,
    Maker,
    Told,
    bootstrap,
    flow_loss,
    td_loss,
    values,
)
from workbench.agents.targets import AbstractSampling
from workbench.flow import euler_unrolled
from workbench.nets import Critic, Policy, Velocity
from workbench.types import Batch, Budget, Decision, Key, LossWeights


class FQL(AbstractSampling):
    r"""Flow Q-learning (Park et al. 2025, arXiv 2502.02538).

    $$L_\omega = -Q(x, \mu_\omega(x, z))
      + \alpha\, \|\mu_\omega(x, z) - \mathrm{stopgrad}\, \mathrm{ODE}_\theta(x, z)\|^2, \qquad
      y = r + \gamma\, \mathrm{mask}\, \mathrm{agg}_i \bar Q_i(x', \mu_\omega(x', z'))$$

    and the flow θ descends flow matching alone. Squares are means over coordinates, as α was tuned. Acting is one pass
    of μ_ω, so M_inf changes nothing; N draws noise anew.
    """

    name: ClassVar[str] = "fql"
    knobs: ClassVar[dict[str, str]] = {"alpha": "weight of distillation against Q", **RATES}
    followed: ClassVar[tuple[str, ...]] = ("critic",)

    def networks(self, obs: int, act: int) -> dict[str, Maker]:
        own: dict[str, Maker] = {
            "flow": partial(Velocity, obs, act, **self.size),
            "actor": partial(Policy, obs, act, **self.size, noise=act),
        }
        return own | self.critic(obs, act)

    def terms(self) -> dict[str, Loss]:
        return {"critic": self.critic_loss, "flow": self.flow_loss, "actor": self.actor_loss}

    def critic_loss(self, critic: Critic, state: TrainState, batch: Batch, weights: LossWeights, *, key: Key) -> Told:
        """TD error; the next action is the one-step policy's."""

        def sample(key: Key) -> Float[Array, "batch act"]:
            z = jax.random.normal(key, batch.a.shape)
            return jnp.clip(jax.vmap(state.nets["actor"])(batch.x_next, z), -1.0, 1.0)

        v_next = self.next_values(state, batch.x_next, sample, key=key)
        return td_loss(critic, bootstrap(batch, weights.gamma, v_next), batch)

    def flow_loss(self, flow: Velocity, state: TrainState, batch: Batch, weights: LossWeights, *, key: Key) -> Told:
        """Flow matching to the data."""
        return flow_loss(flow, batch, key=key), {}

    def actor_loss(self, actor: Policy, state: TrainState, batch: Batch, weights: LossWeights, *, key: Key) -> Told:
        """Q of the one-step action, and its distance from where the flow carries the same noise."""
        z = jax.random.normal(key, batch.a.shape)
        a_pi = jax.vmap(actor)(batch.x, z)
        a_flow = jax.vmap(lambda z, x: euler_unrolled(state.nets["flow"], z, x, FLOW_STEPS))(z, batch.x)
        distill = jnp.mean((a_pi - a_flow) ** 2)
        loss_ql = -jnp.mean(values(state.nets["critic"], batch.x, jnp.clip(a_pi, -1.0, 1.0)))
        return loss_ql + weights.alpha * distill, {"loss_ql": loss_ql, "loss_distill": distill}

    def act(self, state: TrainState, x: Float[Array, " obs"], budget: Budget, *, key: Key) -> Decision:
        actor = state.nets["actor"]
        return decide(
            lambda key: jnp.clip(actor(x, jax.random.normal(key, (actor.act,))), -1.0, 1.0),
            lambda a: judge(state.nets, budget, x, a),
            budget,
            key=key,
        )
