"""Gradient routing of the ten baselines: what each loss moves, and which other networks its gradient depends on."""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.unit.agents import minute, weights_of
from workbench.agents.base import TrainState
from workbench.agents.baseline import AbstractBaseline
from workbench.types import Batch, LossWeights

IMPLICIT = {"value": {"~critic"}, "critic": {"value"}}
READS: dict[str, dict[str, set[str]]] = {
    "bc": {"actor": set()},
    "iql": IMPLICIT | {"actor": {"critic", "value"}},
    "rebrac": {"critic": {"~actor", "~critic"}, "actor": {"critic"}},
    "idql": IMPLICIT | {"actor": set()},
    "srpo": IMPLICIT | {"behaviour": set(), "actor": {"behaviour", "~critic"}},
    "cac": {"critic": {"~actor", "~critic"}, "actor": {"~actor", "critic"}},
    "fawac": {"critic": {"actor", "~critic"}, "value": {"~critic"}, "actor": {"critic", "value"}},
    "fbrac": {"critic": {"actor", "~critic"}, "actor": {"critic"}},
    "ifql": IMPLICIT | {"actor": set()},
    "fql": {"critic": {"actor", "~critic"}, "flow": set(), "actor": {"critic", "flow"}},
}
"""By agent and loss: the other networks (~ for targets) on which its gradient depends; on no others, not by one bit."""


@pytest.fixture(scope="module")
def batch() -> Batch:
    rng = np.random.default_rng(0)
    x, a, x_next, a_next = (rng.uniform(-1, 1, (8, width)).astype(np.float32) for width in (3, 2, 3, 2))
    arrays = {"x": x, "a": a, "x_next": x_next, "a_next": a_next, "r": np.ones(8, np.float32), "mask": np.ones(8)}
    return Batch(**{name: jnp.asarray(value, jnp.float32) for name, value in arrays.items()})


def arrays(tree: Any) -> list[np.ndarray]:
    return [np.asarray(leaf) for leaf in jax.tree.leaves(eqx.filter(tree, eqx.is_inexact_array))]


def same(one: Any, other: Any) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(arrays(one), arrays(other), strict=True))


def larger(state: TrainState, source: str) -> TrainState:
    """The state with the parameters of one network, or target, made larger."""
    group = "targets" if source.startswith("~") else "nets"
    networks = getattr(state, group)
    role = source.removeprefix("~")
    grown = jax.tree.map(lambda leaf: 1.5 * leaf + 0.1 if eqx.is_array(leaf) else leaf, networks[role])
    return dataclasses.replace(state, **{group: networks | {role: grown}})


@eqx.filter_jit
def gradients(agent: AbstractBaseline, nets: dict, state: TrainState, batch: Batch, weights: LossWeights):
    """Gradient of every loss with respect to its own network in `nets`; others are read from `state`."""

    def gradient(role: str, loss: Any) -> Any:
        return eqx.filter_grad(loss, has_aux=True)(nets[role], state, batch, weights, key=jax.random.key(2))[0]

    return {role: gradient(role, loss) for role, loss in agent.terms().items()}


@pytest.mark.parametrize("name", [*READS, "fawac, V of the flow"])
def test_a_gradient_depends_on_what_its_loss_reads_and_on_nothing_else(name, batch):
    name, *variant = name.split(", ")
    agent, weights = minute(name), weights_of(name)
    if variant:
        agent = dataclasses.replace(agent, value_from_data=False)
    state = agent.init(jax.tree.map(lambda leaf: leaf[0], batch), key=jax.random.key(1))
    base = gradients(agent, state.nets, state, batch, weights)
    for role, gradient in base.items():
        assert sum(float((leaf**2).sum()) for leaf in arrays(gradient)) > 0, f"{role} gets no gradient"
    sources = [*state.nets, *(f"~{role}" for role in state.targets)]
    found: dict[str, set[str]] = {role: set() for role in base}
    for source in sources:
        changed = gradients(agent, state.nets, larger(state, source), batch, weights)
        for role in base:
            if not same(base[role], changed[role]):
                found[role].add(source)
    assert found == READS[name] | ({"value": {"actor", "~critic"}} if variant else {})


@pytest.mark.parametrize("name", ["cac", "fql"])
def test_a_loss_moves_its_own_network_and_no_other(name, batch):
    agent, weights = minute(name), weights_of(name, tau=0.0)
    state = agent.init(jax.tree.map(lambda leaf: leaf[0], batch), key=jax.random.key(1))

    @eqx.filter_jit
    def descend(state: TrainState, role: str) -> TrainState:
        grads, _ = agent._gradient(state, role, agent.terms()[role], batch, weights, key=jax.random.key(3))
        return agent._step(state, role, grads, weights.lr)

    for role in agent.terms():
        after = descend(state, role)
        moved = {each for each in state.nets if not same(state.nets[each], after.nets[each])}
        assert moved == {role}
        assert same(state.targets, after.targets)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, [({"actor"}, True), (set(), False), (set(), True), (set(), False)]),
        ({"coasts": False, "ema_before_update": False}, [(set(), False), ({"actor"}, True)] * 2),
    ],
    ids=["coasts", "rests"],
)
def test_rebrac_moves_actor_and_targets_at_every_second_update(changes, expected, batch):
    """What stood still at updates 1 to 4: networks, and whether the targets did. A coasting actor moves between."""
    agent, weights = dataclasses.replace(minute("rebrac"), **changes), weights_of("rebrac")
    state = agent.init(jax.tree.map(lambda leaf: leaf[0], batch), key=jax.random.key(1))
    update = eqx.filter_jit(agent.update)
    history = []
    for _ in range(4):
        after, told = update(state, batch, weights)
        assert float(told["grad_norm_actor"]) > 0  # of the loss, whether it is descended or not
        still = {role for role in state.nets if same(state.nets[role], after.nets[role])}
        history.append((still, same(state.targets, after.targets)))
        state = after
    assert history == expected


def test_the_clip_of_cac_bounds_the_gradient_and_the_metric_tells_the_norm_before(batch):
    agent, weights = minute("cac"), weights_of("cac", ql=1e4)
    state = agent.init(jax.tree.map(lambda leaf: leaf[0], batch), key=jax.random.key(1))
    assert agent.clip == 5.0
    after, told = eqx.filter_jit(agent.update)(state, batch, weights)
    assert float(told["grad_norm_actor"]) > 5.0
    opt: Any = after.opts["actor"]
    first_moment = opt[1].mu  # (1 − 0.9) times the clipped gradient
    norm = sum(float((leaf**2).sum()) for leaf in arrays(first_moment)) ** 0.5
    np.testing.assert_allclose(norm, 0.1 * 5.0, rtol=1e-3)
