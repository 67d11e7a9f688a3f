"""CAC: a consistency model imitates the data and climbs Q through its few steps."""

from functools import partial
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from workbench import losses
from workbench.agents.base import RATES, TrainState, decide, judge
from workbench.agents.baseline import AbstractBaseline, Loss, Maker, Told, bootstrap, td_loss, values
from workbench.diffusion import consistency_sample, noise_level
from workbench.nets import Critic, Denoiser
from workbench.types import Batch, Budget, Decision, Key, LossWeights


class CAC(AbstractBaseline):
    r"""Consistency actor-critic (Ding & Jin 2024, arXiv 2309.16984).

    $$L_\pi = L_C - \eta\, \frac{Q(x, a_\pi)}{\mathrm{stopgrad}\, \mathrm{mean} |Q|}, \qquad
      y = r + \gamma\, \mathrm{mask}\, \mathrm{agg}_i \max_{k \le 10} \bar Q_i(x', \bar a_k')$$

    a_π is a sample of `steps` consistency steps, gradient through all; L_C is `losses.consistency`; $\bar a_k'$ are
    samples of the actor's EMA (max-Q backup), agg as `pessimism` says. η is the knob `ql`; gradients are clipped at
    norm 5. As in the authors' code: noise from 0.002 to 80, σ_d = 0.5, normalised Q, the weight of L_C. Choices of
    ours: 2 steps; `levels` = 40 noise levels throughout, where the code raises them from 2 to 150 over a run whose
    length an agent does not know; Q as the mean of the critics; inputs scaled as Song et al. do; acting by `decide`.
    """

    name: ClassVar[str] = "cac"
    knobs: ClassVar[dict[str, str]] = {"ql": "weight of the Q loss, eta", **RATES}
    followed: ClassVar[tuple[str, ...]] = ("actor", "critic")
    steps: int = eqx.field(static=True, default=2)
    levels: int = eqx.field(static=True, default=40)
    backup: int = eqx.field(static=True, default=10)
    clip: float | None = eqx.field(static=True, default=5.0)

    def networks(self, obs: int, act: int) -> dict[str, Maker]:
        return {"actor": partial(Denoiser, obs, act, **self.size)} | self.critic(obs, act)

    def terms(self) -> dict[str, Loss]:
        return {"critic": self.critic_loss, "actor": self.actor_loss}

    def _sample(self, actor: Denoiser, x: Float[Array, " obs"], act: int, *, key: Key) -> Float[Array, " act"]:
        key_start, key_steps = jax.random.split(key)
        return consistency_sample(actor, jax.random.normal(key_start, (act,)), x, self.steps, key=key_steps)

    def critic_loss(self, critic: Critic, state: TrainState, batch: Batch, weights: LossWeights, *, key: Key) -> Told:
        """TD error; each target critic takes the best of its next actions."""

        def best(x: Float[Array, " obs"], key: Key) -> Float[Array, ""]:
            def q(key: Key) -> Float[Array, " ens"]:
                a_next = self._sample(state.targets["actor"], x, batch.a.shape[-1], key=key)
                return state.targets["critic"](x, a_next)

            return losses.aggregate(jnp.max(jax.vmap(q)(jax.random.split(key, self.backup)), axis=0), self.pessimism)

        v_next = jax.vmap(best)(batch.x_next, jax.random.split(key, len(batch.r)))
        return td_loss(critic, bootstrap(batch, weights.gamma, v_next), batch)

    def actor_loss(self, actor: Denoiser, state: TrainState, batch: Batch, weights: LossWeights, *, key: Key) -> Told:
        """Consistency training, and the value of samples over its scale."""
        key_noise, key_level, key_sample = jax.random.split(key, 3)
        noise = jax.random.normal(key_noise, batch.a.shape)
        i = jax.random.randint(key_level, batch.r.shape, 0, self.levels - 1)
        low, high = (jax.vmap(lambda i: noise_level(i, self.levels))(each) for each in (i, i + 1))
        row = jax.vmap(lambda *each: losses.consistency(actor, state.targets["actor"], *each))
        loss_consistency = jnp.mean(row(batch.a, noise, low, high, batch.x))
        keys = jax.random.split(key_sample, len(batch.r))
        a_pi = jax.vmap(lambda x, key: self._sample(actor, x, batch.a.shape[-1], key=key))(batch.x, keys)
        q = values(state.nets["critic"], batch.x, a_pi)
        loss_ql = losses.q_loss(jnp.mean(q), jnp.mean(jnp.abs(q)))
        return loss_consistency + weights.ql * loss_ql, {"loss_ql": loss_ql, "loss_consistency": loss_consistency}

    def act(self, state: TrainState, x: Float[Array, " obs"], budget: Budget, *, key: Key) -> Decision:
        actor = state.nets["actor"]

        def sample(key: Key) -> Float[Array, " act"]:
            key_start, key_steps = jax.random.split(key)
            noise = jax.random.normal(key_start, (actor.act,))
            return consistency_sample(actor, noise, x, budget.m_inf, key=key_steps)

        return decide(sample, lambda a: judge(state.nets, budget, x, a), budget, key=key)
