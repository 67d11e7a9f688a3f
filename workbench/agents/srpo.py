"""SRPO: a deterministic policy climbs Q and the score of a diffusion model of the data; nothing is sampled to act."""

from functools import partial
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from workbench import losses
from workbench.agents.base import RATES, TrainState
from workbench.agents.baseline import AbstractBaseline, ImplicitValues, Loss, Maker, Told, decide_by_mean, values
from workbench.nets import Policy, ResidualDenoiser
from workbench.types import Batch, Budget, Decision, Key, LossWeights

BETA_MAX = 20.0


class SRPO(AbstractBaseline):
    r"""Score-regularised policy optimisation (Chen et al. 2024, arXiv 2310.07297).

    $$\nabla L_\pi = \big(\mathbb E_{t, z}\, \sigma_t^2\,[\epsilon(\alpha_t \mu(x) + \sigma_t z, t \mid x) - z]
      - \beta\, \nabla_a \bar Q(x, a)|_{a = \mu(x)}\big)\, \nabla \mu(x)$$

    ε imitates the data by denoising and gets no gradient from the policy; V and Q as in `ImplicitValues`, $\bar Q$ the
    mean of the target critics, not normalised. As in the authors' code: a variance-preserving schedule up to
    β_max = 20, t in [0.001, 1] for ε and in [0.02, 0.98] for the policy, z subtracted as a baseline, three residual
    blocks of `block_width`. Choices of ours: the weight σ² (the code has three), ε trained at the same time as the
    policy where the authors freeze one trained before, and no decay of the learning rate.
    """

    name: ClassVar[str] = "srpo"
    knobs: ClassVar[dict[str, str]] = {"beta": "weight of Q against the behaviour's score", **RATES}
    followed: ClassVar[tuple[str, ...]] = ("critic",)
    level: float = eqx.field(static=True, default=0.9)
    block_width: int = eqx.field(static=True, default=256)
    blocks: int = eqx.field(static=True, default=3)

    def networks(self, obs: int, act: int) -> dict[str, Maker]:
        own: dict[str, Maker] = {
            "actor": partial(Policy, obs, act, **self.size, squash=True),
            "behaviour": partial(ResidualDenoiser, obs, act, width=self.block_width, blocks=self.blocks),
        }
        return own | self.critic_and_value(obs, act)

    def terms(self) -> dict[str, Loss]:
        implicit = ImplicitValues(self.level)
        return {
            "value": implicit.value_loss,
            "critic": implicit.critic_loss,
            "behaviour": self.behaviour_loss,
            "actor": self.actor_loss,
        }

    def behaviour_loss(
        self, behaviour: ResidualDenoiser, state: TrainState, batch: Batch, weights: LossWeights, *, key: Key
    ) -> Told:
        """Denoising of the data's actions; neither values nor the policy enter."""
        key_noise, key_t = jax.random.split(key)
        noise = jax.random.normal(key_noise, batch.a.shape)
        t = jax.random.uniform(key_t, batch.r.shape, minval=1e-3)
        row = jax.vmap(lambda a, z, t, x: losses.denoising(behaviour, a, z, t, x, beta_max=BETA_MAX))
        return jnp.mean(row(batch.a, noise, t, batch.x)), {}

    def actor_loss(self, actor: Policy, state: TrainState, batch: Batch, weights: LossWeights, *, key: Key) -> Told:
        """A surrogate with the gradient above: the score's term has no meaning as a number."""
        key_noise, key_t = jax.random.split(key)
        a_pi, noise = jax.vmap(actor)(batch.x), jax.random.normal(key_noise, batch.a.shape)
        t = jax.random.uniform(key_t, batch.r.shape, minval=0.02, maxval=0.98)
        behaviour = state.nets["behaviour"]
        row = jax.vmap(lambda a, z, t, x: losses.score_regularised(behaviour, a, z, t, x, beta_max=BETA_MAX))
        loss_ql = -jnp.mean(values(state.targets["critic"], batch.x, a_pi))
        return jnp.mean(row(a_pi, noise, t, batch.x)) + weights.beta * loss_ql, {"loss_ql": loss_ql}

    def act(self, state: TrainState, x: Float[Array, " obs"], budget: Budget, *, key: Key) -> Decision:
        return decide_by_mean(state, x, budget)
