"""ReBRAC: a deterministic actor and its critic, both kept near the data."""

from functools import partial
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from workbench import losses
from workbench.agents.base import RATES, TrainState
from workbench.agents.baseline import (
    AbstractBaseline,
    Loss,
    Maker,
    Told,
    bootstrap,
    decide_by_mean,
    td_loss,
    values,
)
from workbench.nets import Critic, Policy
from workbench.types import Batch, Budget, Decision, Key, LossWeights


class ReBRAC(AbstractBaseline):
    r"""TD3 with behaviour penalties on actor and critic (Tarasov et al. 2023).

    $$y = r + \gamma\, \mathrm{mask}\, \big(\min_i \bar Q_i(x', \tilde a') - \beta_2 \|\tilde a' - a'\|^2\big), \qquad
      L_\pi = -\lambda \min_i Q_i(x, \mu(x)) + \beta_1 \|\mu(x) - a\|^2$$

    a' is the data's next action, $\tilde a' = \bar\mu(x')$ plus noise of deviation `noise` clipped at `noise_clip`, and
    λ = 1 / stopgrad(mean |Q|). β_1 is the knob `alpha`, β_2 `beta`; both were tuned on penalties that are sums over
    action dimensions, where every other squared error of actions is their mean.

    As in the FQL paper's runs (arXiv 2502.02538) the actor has no layer normalisation, its last layer begins at the
    variance scale `last_scale`, it descends L_π at updates 2, 4, 6, … and coasts on Adam's momentum at the others
    (`coasts`). The averages of actor and critic both move at updates 2, 4, 6, …, and only then.
    """

    name: ClassVar[str] = "rebrac"
    knobs: ClassVar[dict[str, str]] = {
        "alpha": "behaviour penalty of the actor, beta_1",
        "beta": "behaviour penalty of the critic, beta_2",
        **RATES,
    }
    followed: ClassVar[tuple[str, ...]] = ("actor", "critic")
    delay: ClassVar[int] = 2
    needs_next_action: ClassVar[bool] = True
    pessimism: float = eqx.field(static=True, default=1.0)
    noise: float = eqx.field(static=True, default=0.2)
    noise_clip: float = eqx.field(static=True, default=0.5)
    last_scale: float = eqx.field(static=True, default=0.01)

    def networks(self, obs: int, act: int) -> dict[str, Maker]:
        actor = partial(Policy, obs, act, **self.size, squash=True, last_scale=self.last_scale)
        return {"actor": actor} | self.critic(obs, act)

    def terms(self) -> dict[str, Loss]:
        return {"critic": self.critic_loss, "actor": self.actor_loss}

    def critic_loss(self, critic: Critic, state: TrainState, batch: Batch, weights: LossWeights, *, key: Key) -> Told:
        """TD error with the target policy's smoothed action, and its distance from the data's."""
        noise = jnp.clip(self.noise * jax.random.normal(key, batch.a.shape), -self.noise_clip, self.noise_clip)
        a_next = jnp.clip(jax.vmap(state.targets["actor"])(batch.x_next) + noise, -1.0, 1.0)
        penalty = jnp.sum((a_next - batch.a_next) ** 2, axis=-1)
        v_next = values(state.targets["critic"], batch.x_next, a_next, self.pessimism) - weights.beta * penalty
        return td_loss(critic, bootstrap(batch, weights.gamma, v_next), batch)

    def actor_loss(self, actor: Policy, state: TrainState, batch: Batch, weights: LossWeights, *, key: Key) -> Told:
        """The value of the policy's action, over its scale, and its distance from the data's."""
        a_pi = jax.vmap(actor)(batch.x)
        q = values(state.nets["critic"], batch.x, a_pi, 1.0)
        distance = jnp.mean(jnp.sum((a_pi - batch.a) ** 2, axis=-1))
        loss_ql = losses.q_loss(jnp.mean(q), jnp.mean(jnp.abs(q)))
        return loss_ql + weights.alpha * distance, {"loss_ql": loss_ql, "loss_bc": distance}

    def act(self, state: TrainState, x: Float[Array, " obs"], budget: Budget, *, key: Key) -> Decision:
        return decide_by_mean(state, x, budget)
