"""The way of a chosen action from noise: computed again for decisions that are recorded."""

import jax
from jaxtyping import Array, Float, Key

from workbench.agents.base import TrainState
from workbench.flow import euler_path
from workbench.nets import ShortcutActor, Velocity
from workbench.types import Decision


def has_flow(state: TrainState) -> bool:
    """Whether the agent of a state carries noise to actions by the Euler steps of a flow."""
    return isinstance(state.nets.get("actor"), ShortcutActor | Velocity)


def chosen_path(
    state: TrainState, x: Float[Array, " obs"], m: int, key: Key[Array, ""], decision: Decision
) -> Float[Array, "time act"]:
    """The Euler path of the action that `decide` chose from candidates whose noise was drawn from `key`.

    The i-th candidate's noise is normal under the i-th key folded from `key`, as in every agent that plays by its flow;
    whether the path ends in the action is for the caller to check.
    """
    a_0 = jax.random.normal(jax.random.fold_in(key, decision.chosen), decision.a.shape)
    return euler_path(state.nets["actor"], a_0, x, m)[0]
