"""IFQL: a flow imitates the data, and the best of its samples by implicit Q-learning's critic is played."""

from functools import partial
from typing import ClassVar

import equinox as eqx
from jaxtyping import Array, Float

from workbench.agents.base import RATES, TrainState
from workbench.agents.baseline import AbstractBaseline, ImplicitValues, Loss, Maker, Told, decide_by_flow, flow_loss
from workbench.nets import Velocity
from workbench.types import Batch, Budget, Decision, Key, LossWeights


class IFQL(AbstractBaseline):
    r"""Implicit flow Q-learning (IDQL with a flow; the FQL paper, arXiv 2502.02538, E.2).

    $$\pi(x) = \arg\max_{a \in \{a_1, \dots, a_N\}} \min_i Q_i(x, a), \qquad a_j \sim \mathrm{ODE}_\theta(x, \cdot)$$

    V and Q as in `ImplicitValues`, θ by flow matching. All improvement over the data is parallel scaling: with N = 1 it
    imitates. Played with the minimum of the critics and the N of `agents.protocol`.
    """

    name: ClassVar[str] = "ifql"
    knobs: ClassVar[dict[str, str]] = RATES
    followed: ClassVar[tuple[str, ...]] = ("critic",)
    level: float = eqx.field(static=True, default=0.9)

    def networks(self, obs: int, act: int) -> dict[str, Maker]:
        return {"actor": partial(Velocity, obs, act, **self.size)} | self.critic_and_value(obs, act)

    def terms(self) -> dict[str, Loss]:
        implicit = ImplicitValues(self.level)
        return {"value": implicit.value_loss, "critic": implicit.critic_loss, "actor": self.actor_loss}

    def actor_loss(self, actor: Velocity, state: TrainState, batch: Batch, weights: LossWeights, *, key: Key) -> Told:
        """Flow matching to the data; values do not enter."""
        return flow_loss(actor, batch, key=key), {}

    def act(self, state: TrainState, x: Float[Array, " obs"], budget: Budget, *, key: Key) -> Decision:
        return decide_by_flow(state, x, budget, key=key)
