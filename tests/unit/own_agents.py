"""An agent as a user writes one, in a file of its own: the tests register it, and give the file to the command line."""

from functools import partial
from typing import ClassVar

import jax
import jax.numpy as jnp

from workbench.agents.base import RATES
from workbench.agents.baseline import AbstractBaseline, ImplicitValues, decide_by_flow, flow_loss, values
from workbench.agents.registry import register
from workbench.nets import Velocity

LEVEL = 0.5


def passes(advantage, margin):
    """1 where an action is better than V by more than a margin."""
    return (advantage > margin).astype(float)


@register(weights={"margin": 0.0, "lr": 2e-3}, batch_size=32)
class Filtered(AbstractBaseline):
    """A flow imitates the actions that are better than V by more than a margin."""

    name: ClassVar[str] = "filtered"
    knobs: ClassVar[dict[str, str]] = {"margin": "how much better than V an action must be", **RATES}
    followed: ClassVar[tuple[str, ...]] = ("critic",)

    def networks(self, obs, act):
        return {"actor": partial(Velocity, obs, act, **self.size)} | self.critic_and_value(obs, act)

    def terms(self):
        implicit = ImplicitValues(LEVEL)
        return {"value": implicit.value_loss, "critic": implicit.critic_loss, "actor": self.actor_loss}

    def actor_loss(self, actor, state, batch, weights, *, key):
        advantage = values(state.nets["critic"], batch.x, batch.a) - jax.vmap(state.nets["value"])(batch.x)
        weight = passes(advantage, weights["margin"])
        return flow_loss(actor, batch, key=key, weight=weight), {"kept": jnp.mean(weight)}

    def act(self, state, x, budget, *, key):
        return decide_by_flow(state, x, budget, key=key)
