"""A critic beside SORL's that is never asked about an action outside the data: a second opinion for choosing actions.

SORL's own critic learns from values of its policy's actions, and where those leave the data nothing corrects it. This
one learns by implicit Q-learning on the same batches, and neither network of SORL's is moved by it. It is no part of
training, and serves the verifier `in_sample` alone.
"""

import dataclasses
from zlib import crc32

import equinox as eqx
import jax

from workbench.agents.base import Adam, TrainState, ema
from workbench.agents.baseline import ImplicitValues, Loss
from workbench.nets import Critic, Value
from workbench.types import Batch, Key, LossWeights, Metrics

ROLES = {"critic": "in_sample", "value": "in_sample_value"}
"""What its networks are called in SORL's state, by what `ImplicitValues` calls them."""


def fresh(
    state: TrainState, example: Batch, adam: Adam, *, width: int, depth: int, ensemble: int, key: Key
) -> TrainState:
    """The state with these networks; `key` may be another network's, since what is drawn here is folded from it."""
    key_critic, key_value = jax.random.split(jax.random.fold_in(key, crc32(b"in_sample")))
    obs, act = example.x.shape[-1], example.a.shape[-1]
    critic = Critic(obs, act, width=width, depth=depth, ensemble=ensemble, key=key_critic)
    nets = {"critic": critic, "value": Value(obs, width=width, depth=depth, key=key_value)}
    opts = {role: adam.init(net) for role, net in nets.items()}
    return together(state, TrainState(nets, {"critic": critic}, opts, state.key, state.step))


def apart(state: TrainState) -> tuple[TrainState, TrainState | None]:
    """The state without these networks, and theirs, named as in `ImplicitValues`; None where there are none."""
    if ROLES["critic"] not in state.nets:
        return state, None
    own, others = {}, {}
    for part in ("nets", "targets", "opts"):
        values = getattr(state, part)
        own[part] = {role: values[name] for role, name in ROLES.items() if name in values}
        others[part] = {name: value for name, value in values.items() if name not in ROLES.values()}
    return dataclasses.replace(state, **others), dataclasses.replace(state, **own)


def together(state: TrainState, own: TrainState) -> TrainState:
    """The inverse of `apart`."""
    parts = {
        part: getattr(state, part) | {ROLES[role]: value for role, value in getattr(own, part).items()}
        for part in ("nets", "targets", "opts")
    }
    return dataclasses.replace(state, **parts)


def terms(level: float) -> dict[str, Loss]:
    """The loss of each network."""
    implicit = ImplicitValues(level)
    return {"value": implicit.value_loss, "critic": implicit.critic_loss}


def step(
    state: TrainState, own: TrainState | None, batch: Batch, weights: LossWeights, level: float | None, adam: Adam
) -> tuple[TrainState, Metrics]:
    """The state together with these networks after an update of theirs, if there are any.

    It is put together as the baselines' is: gradients and averages from before it. Nothing is drawn.
    """
    if own is None or level is None:
        return state, {}
    nets, opts, told = dict(own.nets), dict(own.opts), {}
    for role, loss in terms(level).items():
        take = eqx.filter_value_and_grad(loss, has_aux=True)
        (value, _), grads = take(own.nets[role], own, batch, weights, key=own.key)
        nets[role], opts[role], _ = adam.step(own.opts[role], own.nets[role], grads, weights.lr)
        told[f"loss_{ROLES[role]}"] = value
    targets = ema(own.targets, {"critic": own.nets["critic"]}, weights.tau)
    return together(state, dataclasses.replace(own, nets=nets, targets=targets, opts=opts)), told


def held_out(state: TrainState, batch: Batch, weights: LossWeights, level: float | None) -> Metrics:
    """The losses on held-out data, if there are any."""
    _, own = apart(state)
    if own is None or level is None:
        return {}
    return {
        f"val_{ROLES[role]}": loss(own.nets[role], own, batch, weights, key=own.key)[0]
        for role, loss in terms(level).items()
    }
