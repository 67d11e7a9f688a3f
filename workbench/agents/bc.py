"""BC: imitation of the data by one Gaussian."""

from functools import partial
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from workbench import losses
from workbench.agents.base import TrainState
from workbench.agents.baseline import AbstractBaseline, Loss, Maker, Told
from workbench.nets import Policy
from workbench.types import Batch, Budget, Decision, Key, LossWeights


class BC(AbstractBaseline):
    r"""Behavioural cloning with a Gaussian of unit deviation, acted on by its mean.

    $$L_\pi = -\log \mathcal N(a;\, \mu(x), I)$$

    As in the FQL paper (arXiv 2502.02538, E.2). There is no critic, so Q is NaN and more candidates change nothing.
    """

    name: ClassVar[str] = "bc"
    knobs: ClassVar[dict[str, str]] = {"lr": "learning rate of Adam"}
    followed: ClassVar[tuple[str, ...]] = ()

    def networks(self, obs: int, act: int) -> dict[str, Maker]:
        return {"actor": partial(Policy, obs, act, **self.size)}

    def terms(self) -> dict[str, Loss]:
        return {"actor": self.actor_loss}

    def actor_loss(self, actor: Policy, state: TrainState, batch: Batch, weights: LossWeights, *, key: Key) -> Told:
        """Negative log-likelihood of the data's actions."""
        return jnp.mean(jax.vmap(lambda x, a: losses.gaussian_nll(actor(x), a))(batch.x, batch.a)), {}

    def act(self, state: TrainState, x: Float[Array, " obs"], budget: Budget, *, key: Key) -> Decision:
        a = jnp.clip(state.nets["actor"](x), -1.0, 1.0)
        candidates = jnp.broadcast_to(a, (budget.n_max, *a.shape))
        q = jnp.full(budget.n_max, jnp.nan, x.dtype)
        return Decision(a=a, q=q[0], candidates=candidates, q_candidates=q)
