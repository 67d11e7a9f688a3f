"""A loss term of a user's own in SORL: its gradient, its weight, its key, its place in specs, controls and errors."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.unit.live_trainers import DATA, Maker, makers, offer, turn
from tests.unit.problems import random_data
from workbench.agents.base import TrainState
from workbench.agents.departures import Departures
from workbench.agents.sorl import SORL
from workbench.agents.terms import TERMS, register_term
from workbench.data.dataset import Provenance
from workbench.errors import UnknownNameError, WorkbenchError
from workbench.live.controls import Controls
from workbench.live.session import Session
from workbench.store.checkpoint import state_hash
from workbench.store.spec import RunSpec, make_spec
from workbench.train import init_seeds, train_chunk, validate
from workbench.types import LossWeights

SMALL = {"width": 8, "depth": 1, "m_btt": 1, "m_disc": 2}
NOISE = Provenance("arrays", "noise", sha256="0")

KNOWN_RUN: dict[str, Any] = {
    "agent": "sorl",
    "batch_size": 256,
    "data": {
        "detail": "plan oracle",
        "kind": "regenerated",
        "name": "cube-single-play-v0",
        "seed": 0,
        "sha256": "118a47cb2d4bb81a5bd35fde4420af300bd0983d4ee03e9f78caa2bce1d835f6",
    },
    "preset": "small",
    "seeds": [0],
    "settings": {
        "clip": 1.0,
        "departures": {
            "critic_sees_steps": False,
            "deal_sc": False,
            "ema_before_update": False,
            "ema_sc_target": False,
            "leak_td": False,
            "shared_adam": False,
        },
        "depth": 2,
        "ensemble": 2,
        "m_btt": 2,
        "m_disc": 8,
        "pessimism": 0.0,
        "width": 256,
    },
    "steps": 20000,
    "task": "cube-single-play-singletask-task2-v0",
    "weights": {"fm": 10.0, "gamma": 0.98, "lr": 0.001, "ql": 1.0, "sc": 10.0, "tau": 0.01},
}


def towards(actor, critic, row, *, key):
    """Half the squared distance of the last layer's bias to the row's action: d/db = b - a."""
    return 0.5 * jnp.sum((actor.mlp.layers[-1].bias - row.a) ** 2)


def judged(actor, critic, row, *, key):
    """Minus Q of a one-step action: a gradient that must pass through the critic and not into it."""
    a_0 = jax.random.normal(key, row.a.shape)
    return -jnp.mean(critic(row.x, a_0 + actor(a_0, jnp.zeros(()), jnp.ones(()), row.x)))


def shrink(actor, critic, row, *, key):
    """Another term, for replacing and for trying two."""
    return jnp.sum(actor.mlp.layers[-1].bias ** 2)


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    """Both terms, and whatever a test adds, for the length of a test."""
    register_term("towards", weight=0.25, about="pull to the data's mean")(towards)
    register_term("judged", weight=2.0)(judged)
    yield
    TERMS.clear()


@pytest.fixture(name="make")
def fixture_make() -> Iterator[Maker]:
    yield from makers()


def agent_with(*terms: str) -> SORL:
    """A small SORL with loss terms."""
    settings: dict[str, Any] = {**SMALL, "terms": terms}
    return SORL(**settings)


def trained(agent: SORL, seeds: tuple[int, ...] = (0,), **weights: Any) -> tuple[TrainState, dict]:
    """The state after three updates, and what they told."""
    data = random_data()
    state = init_seeds(agent, data.example(), seeds)
    state, report = train_chunk(agent, data, LossWeights.named(weights), state, 3, 16)
    return state, report.mean


def actor_gradient(agent: SORL, **weights):
    """Gradient of the actor loss with respect to all networks, with the state and the batch it is of."""
    data = random_data()
    batch = data.sample(16, key=jax.random.key(3))
    state = agent.init(data.example(), key=jax.random.key(1))
    gradient, own = eqx.filter_grad(agent.actor_loss, has_aux=True), LossWeights.named(weights)
    return (
        gradient(state.nets, state.targets, batch, own, agent.draw_actor(batch, key=jax.random.key(2)))[0],
        state,
        batch,
    )


ONLY: dict[str, Any] = {"ql": 0.0, "fm": 0.0, "sc": 0.0}


def test_its_gradient_is_the_closed_form_times_its_weight_and_stays_in_the_actor():
    grads, state, batch = actor_gradient(agent_with("towards"), **ONLY, towards=3.0)
    bias = state.nets["actor"].mlp.layers[-1].bias
    np.testing.assert_allclose(grads["actor"].mlp.layers[-1].bias, 3.0 * (bias - batch.a.mean(0)), rtol=1e-5)
    grads = eqx.tree_at(lambda g: g["actor"].mlp.layers[-1].bias, grads, jnp.zeros_like(bias))
    assert all((leaf == 0).all() for leaf in jax.tree.leaves(eqx.filter(grads, eqx.is_array)))


def test_a_term_of_q_moves_the_actor_and_not_the_critic():
    grads, _, _ = actor_gradient(agent_with("judged"), **ONLY, judged=1.0)
    assert any((leaf != 0).any() for leaf in jax.tree.leaves(eqx.filter(grads["actor"], eqx.is_array)))
    assert all((leaf == 0).all() for leaf in jax.tree.leaves(eqx.filter(grads["critic"], eqx.is_array)))


def test_weight_zero_changes_no_bit_and_another_term_no_noise():
    """Keys are folded from the term's name, so the other losses draw what they would without it."""
    plain, losses = trained(agent_with())
    zero, with_zero = trained(agent_with("towards", "judged"), towards=0.0, judged=0.0)
    assert state_hash(zero) == state_hash(plain)
    assert {name: float(with_zero[name][0]) for name in losses} == {name: float(losses[name][0]) for name in losses}
    sets = (("judged",), ("towards", "judged"))
    one, other = (trained(agent_with(*names), towards=0.0, judged=1.0)[1] for names in sets)
    assert float(one["loss_judged"][0]) == float(other["loss_judged"][0])
    assert set(other) - set(losses) == {"loss_towards", "loss_judged"}


def test_it_is_reported_on_held_out_data_too():
    data, agent = random_data(), agent_with("towards")
    told = validate(agent, data, LossWeights.named({"towards": 1.0}), init_seeds(agent, data.example(), (0,)), 32)
    assert told["val_towards"].shape == (1,)


def test_each_seed_can_have_its_own_weight():
    together, _ = trained(agent_with("towards"), seeds=(0, 1), lr=0.1, towards=[0.0, 5.0])
    alone, _ = trained(agent_with("towards"), seeds=(1,), lr=0.1, towards=5.0)
    np.testing.assert_allclose(
        together.nets["actor"].mlp.layers[-1].bias[1], alone.nets["actor"].mlp.layers[-1].bias[0], atol=1e-5
    )


def test_a_spec_has_the_setting_the_weight_and_the_source():
    own: dict[str, Any] = {"preset_name": "small", "settings": {"terms": ["towards"]}}
    spec = make_spec("toy:grid", NOISE, **own)
    assert spec.settings["terms"] == ("towards",)
    assert spec.weights["towards"] == 0.25
    assert list(spec.code) == ["term towards"]
    again = RunSpec.from_json(spec.to_json())
    assert (again, again.hash, again.build_agent()) == (spec, spec.hash, spec.build_agent())
    assert float(again.build_weights()["towards"]) == 0.25
    assert again.build_agent().knobs["towards"] == "pull to the data's mean"
    assert make_spec("toy:grid", NOISE, **own, weights={"towards": 1.0}).hash != spec.hash


def test_without_terms_a_spec_knows_nothing_of_them():
    spec = make_spec("toy:grid", NOISE, preset_name="small", steps=100)
    assert "terms" not in spec.settings
    assert not {"code", "terms"} & {*spec.to_json(), *spec.to_json()["settings"]}
    assert make_spec("toy:grid", NOISE, preset_name="small", steps=100, settings={"terms": ()}).hash == spec.hash
    assert spec.build_agent() == dataclasses.replace(agent_with(), width=256, depth=2, m_btt=2, m_disc=8)


def test_a_run_of_the_first_revision_keeps_its_hash_and_cannot_be_gone_on_with():
    spec = RunSpec.from_json(KNOWN_RUN)
    assert spec.hash == "695410df49d6"
    assert spec.to_json() == KNOWN_RUN
    assert not spec.code
    with pytest.raises(WorkbenchError, match=r"run 695410df49d6 is of revision 1 .* train it anew"):
        spec.build_agent()
    data = Provenance(**KNOWN_RUN["data"])
    made = make_spec(KNOWN_RUN["task"], data, preset_name="small", steps=20_000, weights={"ql": 1.0})
    assert made.hash != spec.hash
    with pytest.raises(WorkbenchError, match=r"revision 99 .* \(unknown here\)"):
        dataclasses.replace(made, revision=99).build_agent()


def test_a_changed_or_missing_term_is_said_in_a_sentence():
    spec = make_spec("toy:grid", NOISE, preset_name="small", settings={"terms": ["towards"]})
    register_term("towards", weight=0.25)(shrink)
    with pytest.raises(WorkbenchError, match=rf"run {spec.hash} .* another version of your term 'towards'"):
        spec.build_agent()
    assert make_spec("toy:grid", NOISE, preset_name="small", settings={"terms": ["towards"]}).hash != spec.hash
    TERMS.clear()
    with pytest.raises(WorkbenchError, match="your term 'towards', which is not registered here"):
        spec.build_agent()
    with pytest.raises(UnknownNameError, match=r"unknown loss term 'towards': none is known\. Run the cell"):
        agent_with("towards")


def test_replacing_a_term_compiles_the_new_one():
    before, _ = trained(agent_with("towards"), **ONLY, lr=0.1, towards=1.0)
    register_term("towards", weight=0.25)(shrink)
    after, _ = trained(agent_with("towards"), **ONLY, lr=0.1, towards=1.0)
    assert state_hash(before) != state_hash(after)


@pytest.mark.parametrize("name", ["ql", "gamma", "m_inf", "actor", "two words", "verifier"])
def test_names_that_are_taken_are_refused(name):
    with pytest.raises(WorkbenchError, match=f"cannot be named '{name}'"):
        register_term(name, weight=1.0)(towards)


def test_terms_that_ask_for_q_are_refused_where_the_critic_also_wants_steps():
    agent = agent_with("towards")
    with pytest.raises(WorkbenchError, match=r"terms towards ask the critic for Q\(x, a\)"):
        dataclasses.replace(agent, departures=Departures(critic_sees_steps=True))


def test_terms_must_differ_and_be_functions():
    with pytest.raises(WorkbenchError, match="must differ"):
        agent_with("towards", "towards")
    with pytest.raises(WorkbenchError, match="must be a function"):
        register_term("mine", weight=1.0)(jax.jit(towards))
    with pytest.raises(UnknownNameError, match="did you mean towards"):
        make_spec("toy:grid", NOISE, settings={"terms": ["towards"]}, weights={"toward": 1.0})
    with pytest.raises(UnknownNameError, match="did you mean towards"):
        LossWeights.named({"towards": 1.0})["toward"]


def test_it_has_a_slider_and_its_session_repeats(make: Maker, tmp_path):
    trainer = make(settings={**SMALL, "terms": ("towards",)})
    panel = Controls(trainer)
    assert (offer(panel, "towards")["symbol"], offer(panel, "towards")["group"]) == ("towards", "losses")
    assert offer(panel, "towards")["meaning"] == "pull to the data's mean"
    trainer.start(5)
    trainer.wait()
    turn(panel, towards=4.0)
    trainer.start(5)
    trainer.result()
    assert [(each.name, each.old, each.new) for each in trainer.branch.interventions] == [("towards", 0.25, 4.0)]
    assert "loss_towards" in trainer.branch.history.all()
    trainer.save(tmp_path / "session.json")
    (record,) = Session.load(tmp_path / "session.json").branches
    assert state_hash(record.replay(DATA[0])) == record.state_sha256
