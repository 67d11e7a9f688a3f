"""The in-sample critic of SORL: its losses against numpy, what it does not change, and what it is asked for."""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.unit.problems import random_data
from workbench.agents import in_sample
from workbench.agents.base import TrainState
from workbench.agents.departures import Departures
from workbench.agents.iql import IQL
from workbench.agents.metrics import MEANINGS
from workbench.agents.sorl import SORL
from workbench.data.dataset import Provenance
from workbench.errors import WorkbenchError
from workbench.evaluate.cell import Cell
from workbench.evaluate.policy import make_controller, make_policy
from workbench.store.spec import make_spec
from workbench.types import Budget, LossWeights

SIZE: dict[str, Any] = {"width": 8, "depth": 1, "m_btt": 1, "m_disc": 2}
DATA = random_data()
BATCH = DATA.sample(16, key=jax.random.key(5))
NOISE = Provenance("arrays", "noise", sha256="0")
WEIGHTS = LossWeights(tau=0.3, lr=1e-2)


def offset(targets):
    return targets["critic"].mlps[0].norms[0].bias


def fresh(agent) -> TrainState:
    return agent.init(DATA.example(), key=jax.random.key(0))


@pytest.fixture(name="trained", scope="module")
def fixture_trained() -> dict[str, tuple[TrainState, dict]]:
    """Two updates of SORL with the critic and without."""
    found = {}
    for name, agent in {"with": SORL(**SIZE, in_sample=0.8), "without": SORL(**SIZE)}.items():
        state, update = fresh(agent), eqx.filter_jit(agent.update)
        for _ in range(2):
            state, told = update(state, BATCH, WEIGHTS)
        found[name] = state, told
    return found


def equal(one, other) -> None:
    for a, b in zip(*(jax.tree.leaves(eqx.filter(each, eqx.is_array)) for each in (one, other)), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_others_are_the_same_with_it_and_without(trained):
    state, told = trained["with"]
    others, own = in_sample.apart(state)
    assert own is not None
    again = in_sample.together(others, own)
    equal((again.nets, again.targets, again.opts), (state.nets, state.targets, state.opts))
    plain, plain_told = trained["without"]
    assert set(others.nets) == set(plain.nets)
    for part in ("nets", "targets", "opts", "step"):
        equal(getattr(others, part), getattr(plain, part))
    equal({name: told[name] for name in plain_told}, plain_told)
    assert set(told) - set(plain_told) == {"loss_in_sample", "loss_in_sample_value"} <= set(MEANINGS)


def test_its_losses_are_those_of_numpy():
    agent = SORL(**SIZE, in_sample=0.8)
    _, own = in_sample.apart(fresh(agent))
    assert own is not None
    own = dataclasses.replace(own, targets=eqx.tree_at(offset, own.targets, jnp.ones(8)))
    q, q_target = (np.asarray(jax.vmap(net)(BATCH.x, BATCH.a)) for net in (own.nets["critic"], own.targets["critic"]))
    v, v_next = (np.asarray(jax.vmap(own.nets["value"])(x)) for x in (BATCH.x, BATCH.x_next))
    u = q_target.min(axis=1) - v
    expectile = np.mean([(0.8 if each > 0 else 0.2) * each**2 for each in u])
    y = np.asarray(BATCH.r + 0.99 * BATCH.mask * v_next)
    state = in_sample.together(fresh(SORL(**SIZE)), own)
    found = in_sample.held_out(state, BATCH, WEIGHTS, 0.8)
    np.testing.assert_allclose(found["val_in_sample_value"], expectile, rtol=1e-5)
    np.testing.assert_allclose(found["val_in_sample"], np.mean((q - y[:, None]) ** 2), rtol=1e-5)


def test_it_is_trained_as_iql_trains_its_own(trained):
    iql = IQL(width=8, depth=1, clip=1.0)
    _, own = in_sample.apart(fresh(SORL(**SIZE, in_sample=0.8)))
    assert own is not None
    theirs = fresh(dataclasses.replace(iql, level=0.8))
    state = dataclasses.replace(theirs, nets=theirs.nets | own.nets, targets=own.targets, opts=theirs.opts | own.opts)
    update = eqx.filter_jit(dataclasses.replace(iql, level=0.8).update)
    for _ in range(2):
        state, _ = update(state, BATCH, WEIGHTS)
    _, own = in_sample.apart(trained["with"][0])
    assert own is not None
    for role in ("critic", "value"):
        for a, b in zip(jax.tree.leaves(own.nets[role]), jax.tree.leaves(state.nets[role]), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-6)


def test_the_verifier_judges_by_it_alone(trained):
    agent, (state, _) = SORL(**SIZE, in_sample=0.8), trained["with"]
    found = make_controller(agent, state)(BATCH.x[0], Budget.exactly(2, 6, "in_sample elite:0.5"), jax.random.key(1))
    q = jax.vmap(lambda a: state.nets["in_sample"](BATCH.x[0], a).min())(found.candidates)
    np.testing.assert_allclose(found.q_candidates, q, atol=1e-6)
    best = np.argsort(-np.asarray(q))[:3]
    np.testing.assert_allclose(found.a, found.candidates[best].mean(axis=0), atol=1e-6)


def test_all_verifiers_share_one_program(trained):
    agent, (state, _), traces = SORL(**SIZE, in_sample=0.8), trained["with"], []

    @jax.jit
    def act(budget):
        traces.append(budget)
        return agent.act(state, BATCH.x[0], budget, key=jax.random.key(1)).q

    values = [float(act(Budget.exactly(1, 4, text))) for text in ("mean", "in_sample", "pessimistic:3", "min elite")]
    assert len(traces) == 1
    assert len(set(values)) == 4
    assert np.isfinite(values).all()


def test_a_run_without_it_is_refused_in_one_sentence(trained):
    agent, (state, _) = SORL(**SIZE), trained["without"]
    cell = Cell(1, 4, "in_sample elite:0.5")
    states = jax.tree.map(lambda leaf: leaf[None] if eqx.is_array(leaf) else leaf, state)
    for ask in (
        lambda: make_policy(agent, states, [cell]),
        lambda: make_controller(agent, state)(BATCH.x[0], cell.budget(), jax.random.key(0)),
    ):
        with pytest.raises(
            WorkbenchError, match="verifier in_sample asks a critic that this agent was trained"
        ) as told:
            ask()
        assert len(str(told.value).splitlines()) == 1


def test_a_spec_holds_it_only_where_it_is_on():
    settings = [make_spec("own:x", NOISE, settings=each).settings for each in ({}, {"in_sample": None})]
    assert all("in_sample" not in each for each in settings)
    spec = make_spec("own:x", NOISE, settings={"in_sample": 0.9})
    assert spec.settings["in_sample"] == 0.9
    assert getattr(spec.build_agent(), "in_sample", None) == 0.9


@pytest.mark.parametrize("level", [0.0, 1.0, 1.5, "0.9", True])
def test_a_level_that_is_none_is_refused(level):
    with pytest.raises(WorkbenchError, match="agent setting 'in_sample' must"):
        make_spec("own:x", NOISE, settings={"in_sample": level})


def test_it_stands_beside_every_departure_of_the_released_code():
    agent = SORL(**SIZE, in_sample=0.8, departures=Departures.every())
    state, told = jax.eval_shape(agent.update, fresh(agent), BATCH, WEIGHTS)
    assert {"shared", "in_sample", "in_sample_value"} == set(state.opts)
    assert "loss_in_sample" in told
    assert jnp.issubdtype(told["loss_in_sample"].dtype, jnp.floating)
