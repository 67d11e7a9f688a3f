"""IDQL: a diffusion model imitates the data, and the best of its samples by implicit Q-learning's critic is played."""

from functools import partial
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from workbench import losses
from workbench.agents.base import RATES, TrainState, decide, judge
from workbench.agents.baseline import AbstractBaseline, ImplicitValues, Loss, Maker, Told
from workbench.diffusion import ancestral
from workbench.nets import ResidualDenoiser
from workbench.types import Batch, Budget, Decision, Key, LossWeights

BETA_MAX = 10.0


class IDQL(AbstractBaseline):
    r"""Implicit diffusion Q-learning (Hansen-Estruch et al. 2023, arXiv 2304.10573).

    $$\pi(x) = \arg\max_{a \in \{a_1, \dots, a_N\}} \min_i Q_i(x, a), \qquad
      L_\theta = \tfrac1d\, \|\epsilon_\theta(\alpha_t a + \sigma_t z, t \mid x) - z\|^2$$

    V and Q as in `ImplicitValues`; a_j by DDPM sampling. As in the authors' code: a variance-preserving schedule up to
    β = 10 in `levels` = 5 steps, and three residual blocks of `block_width`. Choices of ours: M_inf below 5 skips times
    and M_inf above changes nothing; the predicted clean action is clipped, not the noised one; no dropout, no decay of
    the learning rate and no average of the weights.
    """

    name: ClassVar[str] = "idql"
    knobs: ClassVar[dict[str, str]] = RATES
    followed: ClassVar[tuple[str, ...]] = ("critic",)
    level: float = eqx.field(static=True, default=0.9)
    levels: int = eqx.field(static=True, default=5)
    block_width: int = eqx.field(static=True, default=256)
    blocks: int = eqx.field(static=True, default=3)

    def networks(self, obs: int, act: int) -> dict[str, Maker]:
        denoiser = partial(ResidualDenoiser, obs, act, width=self.block_width, blocks=self.blocks)
        return {"actor": denoiser} | self.critic_and_value(obs, act)

    def terms(self) -> dict[str, Loss]:
        implicit = ImplicitValues(self.level)
        return {"value": implicit.value_loss, "critic": implicit.critic_loss, "actor": self.actor_loss}

    def actor_loss(
        self, actor: ResidualDenoiser, state: TrainState, batch: Batch, weights: LossWeights, *, key: Key
    ) -> Told:
        """Denoising at times drawn from {1/levels, …, 1}; values do not enter."""
        key_noise, key_t = jax.random.split(key)
        noise = jax.random.normal(key_noise, batch.a.shape)
        t = jax.random.randint(key_t, batch.r.shape, 1, self.levels + 1) / self.levels
        row = jax.vmap(lambda a, z, t, x: losses.denoising(actor, a, z, t, x, beta_max=BETA_MAX))
        return jnp.mean(row(batch.a, noise, t, batch.x)), {}

    def act(self, state: TrainState, x: Float[Array, " obs"], budget: Budget, *, key: Key) -> Decision:
        actor = state.nets["actor"]

        def sample(key: Key) -> Float[Array, " act"]:
            key_start, key_steps = jax.random.split(key)
            a_1 = jax.random.normal(key_start, (actor.act,))
            return ancestral(actor, a_1, x, budget.m_inf, levels=self.levels, beta_max=BETA_MAX, key=key_steps)

        return decide(sample, lambda a: judge(state.nets, budget, x, a), budget, key=key)
