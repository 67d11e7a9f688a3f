"""How an update of the baselines is put together: the order of steps, what the averages read, a delayed actor."""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from tests.unit.agents import minute, weights_of
from tests.unit.problems import random_data
from workbench.agents import baseline, fql
from workbench.agents.base import TrainState
from workbench.agents.baseline import AbstractBaseline
from workbench.types import Batch, LossWeights

AFTER: dict[str, set[str]] = {
    "bc": set(),
    "iql": {"critic", "actor"},
    "rebrac": {"actor"},
    "idql": {"critic"},
    "srpo": {"critic", "actor"},
    "cac": {"actor"},
    "fawac": {"actor"},
    "fbrac": {"actor"},
    "ifql": {"critic"},
    "fql": {"actor"},
}
"""By agent: the networks whose loss reads what another loss of the same update has moved, if they step in turn."""

PUBLISHED = {"in_turn": False, "ema_before_update": True}


@pytest.fixture(autouse=True)
def short_flows(monkeypatch):
    """Two Euler steps instead of ten, which take long to compile and show nothing more here."""
    for module in (baseline, fql):
        monkeypatch.setattr(module, "FLOW_STEPS", 2)


@pytest.fixture(scope="module")
def batch() -> Batch:
    return random_data().sample(8, key=jax.random.key(0))


def arrays(tree: Any) -> list[np.ndarray]:
    return [np.asarray(leaf) for leaf in jax.tree.leaves(eqx.filter(tree, eqx.is_inexact_array))]


def same(one: Any, other: Any) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(arrays(one), arrays(other), strict=True))


def start(agent: AbstractBaseline, batch: Batch) -> TrainState:
    """A fresh state before update 2, at which an actor moves that is delayed by 2; targets differ from the networks."""
    state = agent.init(jax.tree.map(lambda leaf: leaf[0], batch), key=jax.random.key(1))
    targets = jax.tree.map(lambda leaf: 0.5 * leaf if eqx.is_array(leaf) else leaf, state.targets)
    return dataclasses.replace(state, targets=targets, step=jnp.ones((), jnp.int32))


@eqx.filter_jit
def update(agent: AbstractBaseline, state: TrainState, batch: Batch, weights: LossWeights) -> TrainState:
    return agent.update(state, batch, weights)[0]


@eqx.filter_jit
def plain(agent: AbstractBaseline, state: TrainState, batch: Batch, weights: LossWeights, order: dict) -> TrainState:
    """An update without delay, written as a loop over the losses."""
    adam = optax.chain(optax.clip_by_global_norm(agent.clip) if agent.clip else optax.identity(), optax.scale_by_adam())
    nets, opts = dict(state.nets), dict(state.opts)
    key, *keys = jax.random.split(state.key, 1 + len(agent.terms()))
    for (role, loss), key_role in zip(agent.terms().items(), keys, strict=True):
        seen = dataclasses.replace(state, nets=dict(nets)) if order["in_turn"] else state
        grads, _ = eqx.filter_grad(loss, has_aux=True)(seen.nets[role], seen, batch, weights, key=key_role)
        updates, opts[role] = adam.update(grads, opts[role])
        nets[role] = eqx.apply_updates(nets[role], jax.tree.map(lambda u: -weights.lr * u, updates))
    source = state.nets if order["ema_before_update"] else nets
    targets = {
        role: jax.tree.map(
            lambda old, new: (1.0 - weights.tau) * old + weights.tau * new if eqx.is_array(old) else old,
            state.targets[role],
            source[role],
        )
        for role in agent.followed
    }
    return TrainState(nets=nets, targets=targets, opts=opts, key=key, step=state.step + 1)


@pytest.mark.parametrize("ema_before_update", [True, False])
@pytest.mark.parametrize("in_turn", [True, False])
@pytest.mark.parametrize("name", ["iql", "cac"])
def test_an_update_is_the_plain_loop_to_the_bit(name, in_turn, ema_before_update, batch):
    order = {"in_turn": in_turn, "ema_before_update": ema_before_update}
    agent, weights = dataclasses.replace(minute(name), **order), weights_of(name, tau=0.25)
    one = other = start(agent, batch)
    for _ in range(3):
        one, other = update(agent, one, batch, weights), plain(agent, other, batch, weights, order)
    assert same((one.nets, one.targets, one.opts), (other.nets, other.targets, other.opts))
    assert jnp.array_equal(jax.random.key_data(one.key), jax.random.key_data(other.key))


@pytest.mark.parametrize("name", AFTER)
def test_gradients_are_taken_together_or_in_turn_and_averages_read_before_or_after(name, batch):
    agent, weights = minute(name), weights_of(name, tau=0.25)
    assert {setting: getattr(agent, setting) for setting in PUBLISHED} == PUBLISHED
    state = start(agent, batch)
    together = update(agent, state, batch, weights)
    other = update(dataclasses.replace(agent, in_turn=True, ema_before_update=False), state, batch, weights)
    # Moments tell gradients apart, where the parameters of a first step of Adam tell little more than their signs.
    assert {role for role in agent.terms() if not same(together.opts[role], other.opts[role])} == AFTER[name]
    for role in agent.followed:
        for after, source in ((together, state), (other, other)):
            pairs = zip(*(arrays(tree) for tree in (state.targets[role], source.nets[role])), strict=True)
            for found, (old, new) in zip(arrays(after.targets[role]), pairs, strict=True):
                np.testing.assert_allclose(found, 0.75 * old + 0.25 * new, rtol=1e-5, atol=1e-7)


@eqx.filter_jit
def actor_gradient(agent: AbstractBaseline, state: TrainState, batch: Batch, weights: LossWeights) -> Any:
    return eqx.filter_grad(agent.terms()["actor"], has_aux=True)(
        state.nets["actor"], state, batch, weights, key=jax.random.key(0)
    )[0]


@pytest.mark.parametrize("coasts", [True, False])
def test_the_actor_of_rebrac_follows_adam_written_out_by_hand(coasts, batch):
    r"""Moments decay and the count goes on while the actor coasts; while it rests, neither does.

    $$m \leftarrow 0.9\, m + 0.1\, g, \qquad v \leftarrow 0.999\, v + 0.001\, g^2, \qquad
      \theta \leftarrow \theta - \mathrm{lr}\, \hat m / (\sqrt{\hat v} + 10^{-8})$$
    """
    agent, weights = dataclasses.replace(minute("rebrac"), coasts=coasts), weights_of("rebrac")
    state = agent.init(jax.tree.map(lambda leaf: leaf[0], batch), key=jax.random.key(1))
    theta = [each.astype(np.float64) for each in arrays(state.nets["actor"])]
    m, v, count = [0.0 * each for each in theta], [0.0 * each for each in theta], 0
    for number in range(1, 7):
        due = number % 2 == (0 if coasts else 1)
        grads = [due * g for g in arrays(actor_gradient(agent, state, batch, weights))]
        before, state = state, update(agent, state, batch, weights)
        if due or coasts:
            count += 1
            m = [0.9 * m + 0.1 * g for m, g in zip(m, grads, strict=True)]
            v = [0.999 * v + 0.001 * g**2 for v, g in zip(v, grads, strict=True)]
            hats = [(m / (1 - 0.9**count), v / (1 - 0.999**count)) for m, v in zip(m, v, strict=True)]
            theta = [p - 2e-3 * m / (np.sqrt(v) + 1e-8) for p, (m, v) in zip(theta, hats, strict=True)]
        for found, expected in zip(arrays(state.nets["actor"]), theta, strict=True):
            np.testing.assert_allclose(found, expected, atol=2e-5)
        assert same(before.targets, state.targets) == (not due)
        assert same(before.nets["actor"], state.nets["actor"]) == (not due and (not coasts or number == 1))
