"""IQL: implicit Q-learning with an advantage-weighted Gaussian."""

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
    ImplicitValues,
    Loss,
    Maker,
    Told,
    advantage_weights,
    decide_by_mean,
)
from workbench.nets import Policy
from workbench.types import Batch, Budget, Decision, Key, LossWeights


class IQL(AbstractBaseline):
    r"""Implicit Q-learning (Kostrikov et al. 2022): values by expectile regression, the policy by weighted imitation.

    $$L_\pi = -\min\big(e^{\alpha (\min_i Q_i(x, a) - V(x))}, 100\big)\, \log \mathcal N(a;\, \mu(x), I)$$

    V and Q as in `ImplicitValues`. Gaussian of unit deviation, acted on by its mean, whose last layer begins at the
    variance scale `last_scale`, 0.01 in the FQL paper's public code (arXiv 2502.02538).
    """

    name: ClassVar[str] = "iql"
    knobs: ClassVar[dict[str, str]] = {"alpha": "inverse temperature of the advantage weights", **RATES}
    followed: ClassVar[tuple[str, ...]] = ("critic",)
    level: float = eqx.field(static=True, default=0.9)
    last_scale: float = eqx.field(static=True, default=0.01)

    def networks(self, obs: int, act: int) -> dict[str, Maker]:
        actor = partial(Policy, obs, act, **self.size, last_scale=self.last_scale)
        return {"actor": actor} | self.critic_and_value(obs, act)

    def terms(self) -> dict[str, Loss]:
        implicit = ImplicitValues(self.level)
        return {"value": implicit.value_loss, "critic": implicit.critic_loss, "actor": self.actor_loss}

    def actor_loss(self, actor: Policy, state: TrainState, batch: Batch, weights: LossWeights, *, key: Key) -> Told:
        """Imitation, weighted by how much better than V the action is."""
        weight = advantage_weights(state, batch, weights.alpha, 1.0)
        nll = jax.vmap(lambda x, a: losses.gaussian_nll(actor(x), a))(batch.x, batch.a)
        return jnp.mean(weight * nll), {"advantage_weight": weight.mean()}

    def act(self, state: TrainState, x: Float[Array, " obs"], budget: Budget, *, key: Key) -> Decision:
        return decide_by_mean(state, x, budget)
