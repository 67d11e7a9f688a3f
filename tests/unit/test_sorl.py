"""SORL: gradient routing, each departure of the released code, best-of-N, and what it learns on known problems."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from workbench.agents.base import TrainState
from workbench.agents.departures import Departures
from workbench.agents.draws import draw_flow_matching, draw_self_consistency
from workbench.agents.metrics import MEANINGS
from workbench.agents.presets import PRESETS, preset
from workbench.agents.settings import ENVIRONMENTS
from workbench.agents.sorl import SORL
from workbench.errors import UnknownNameError, WorkbenchError
from workbench.flow import euler
from workbench.types import Batch, Budget, LossWeights

OBS, ACT, ROWS = 3, 2, 16


@pytest.fixture(scope="module")
def batch() -> Batch:
    rng = np.random.default_rng(0)
    return Batch(
        x=jnp.asarray(rng.normal(size=(ROWS, OBS)), jnp.float32),
        a=jnp.asarray(rng.uniform(-1, 1, (ROWS, ACT)), jnp.float32),
        r=jnp.asarray(rng.normal(size=ROWS), jnp.float32),
        x_next=jnp.asarray(rng.normal(size=(ROWS, OBS)), jnp.float32),
        mask=jnp.ones(ROWS),
        a_next=jnp.asarray(rng.uniform(-1, 1, (ROWS, ACT)), jnp.float32),
    )


def make(**departures) -> SORL:
    return SORL(width=16, depth=1, m_btt=2, departures=Departures(**departures))


@eqx.filter_jit
def update(agent: SORL, state: TrainState, batch: Batch, weights: LossWeights):
    return agent.update(state, batch, weights)


def sorl(name: str, environment: str) -> SORL:
    agent = preset("sorl", name, environment).agent
    assert isinstance(agent, SORL)
    return agent


def start(agent: SORL, batch: Batch):
    return agent.init(jax.tree.map(lambda leaf: leaf[0], batch), key=jax.random.key(1))


def norm(tree) -> float:
    return float(sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(eqx.filter(tree, eqx.is_array))) ** 0.5)


def gradients(agent: SORL, batch: Batch, loss: str):
    state = start(agent, batch)
    gradient = eqx.filter_jit(eqx.filter_grad(getattr(agent, f"{loss}_loss"), has_aux=True))
    draw = getattr(agent, f"draw_{loss}")(batch, key=jax.random.key(2))
    return gradient(state.nets, state.targets, batch, LossWeights(), draw)[0]


def test_gradients_are_exactly_zero_where_they_stop(batch):
    critic = gradients(make(), batch, "critic")
    assert norm(critic["actor"]) == 0.0
    assert norm(critic["critic"]) > 0.0
    actor = gradients(make(), batch, "actor")
    assert norm(actor["critic"]) == 0.0
    assert norm(actor["actor"]) > 0.0


def test_the_leak_reaches_the_actor_through_the_td_target(batch):
    assert norm(gradients(make(leak_td=True), batch, "critic")["actor"]) > 1e-4


def test_the_leak_moves_the_actor(batch):
    # With all actor weights zero, only the leak can move the actor.
    weights = LossWeights(ql=0.0, fm=0.0, sc=0.0)
    for leak, moves in ((False, False), (True, True)):
        state = start(agent := make(leak_td=leak), batch)
        after, _ = update(agent, state, batch, weights)
        assert (
            norm(jax.tree.map(jnp.subtract, *(eqx.filter(s.nets["actor"], eqx.is_array) for s in (after, state)))) > 0
        ) == moves


def test_a_shared_adam_moves_the_network_whose_gradient_is_zero(batch):
    weights = LossWeights(ql=0.0, fm=1.0, sc=0.0)
    moved = {}
    for shared in (False, True):
        agent = make(shared_adam=shared)
        state, _ = update(agent, start(agent, batch), batch, weights)
        zero = jax.tree.map(jnp.zeros_like, eqx.filter(state.nets, eqx.is_array))
        after, _ = agent._step(state, "actor", zero, weights.lr)
        both = (eqx.filter(s.nets["critic"], eqx.is_array) for s in (after, state))
        moved[shared] = norm(jax.tree.map(jnp.subtract, *both))
    assert moved[False] == 0.0
    assert moved[True] > 0.0


def test_the_critic_that_sees_steps_uses_one_count_for_the_batch(batch):
    agent = make(critic_sees_steps=True)
    state = start(agent, batch)
    x, a = batch.x[0], batch.a[0]
    q = [state.nets["critic"](x, a, jnp.asarray(m)) for m in (1.0, 8.0)]
    assert not np.allclose(q[0], q[1])
    seen = set()
    for seed in range(12):
        _, m = agent._samples(state.nets["actor"], batch.x, agent.draw_critic(batch, key=jax.random.key(seed)))
        assert len(set(np.asarray(m).tolist())) == 1
        seen.add(float(m[0]))
    assert seen == {1.0, 2.0}


def test_the_ema_target_changes_the_self_consistency_loss_only_when_asked(batch):
    for ema_sc_target in (False, True):
        agent = make(ema_sc_target=ema_sc_target)
        state, draw = start(agent, batch), agent.draw_actor(batch, key=jax.random.key(0))
        shifted = state.targets | {
            "actor": jax.tree.map(lambda v: v + 0.3 if eqx.is_array(v) else v, state.targets["actor"])
        }
        values = [
            float(agent.actor_loss(state.nets, targets, batch, LossWeights(), draw)[1]["loss_sc"])
            for targets in (state.targets, shifted)
        ]
        assert (values[0] != values[1]) == ema_sc_target


def test_dealt_self_consistency_keeps_noise_and_does_not_draw_levels(batch):
    assert (make().sigma_min, make(deal_sc=True).sigma_min) == (0.0, 1e-5)

    def s(a_t, t, h, x):
        return jnp.full(ACT, jnp.log2(h) ** 2)  # the loss of a row depends on its level only

    def drawn(deal, i):
        key = jax.random.key(i)
        fm = draw_flow_matching(batch, 8, key=key)
        sc = draw_self_consistency(batch, 8, deal=deal, key=key)
        return make(deal_sc=deal).velocity_losses(s, s, batch, fm, sc)[1]

    spread = {deal: np.ptp([drawn(deal, i) for i in range(6)]) for deal in (False, True)}
    assert spread[True] < 1e-6 < spread[False]


def test_ema_reads_parameters_before_or_after_the_update(batch):
    weights = LossWeights(tau=1.0)
    for before in (False, True):
        agent = make(ema_before_update=before)
        state = start(agent, batch)
        after, _ = update(agent, state, batch, weights)
        expected = state.nets if before else after.nets
        for got, want in zip(
            *(jax.tree.leaves(eqx.filter(t, eqx.is_array)) for t in (after.targets, expected)), strict=True
        ):
            np.testing.assert_array_equal(got, want)


def test_the_q_loss_asks_the_critic_from_before_its_step_only_when_asked(batch):
    # One step at this rate turns the critic's values over; the actor's gradient tells which critic was asked.
    weights = LossWeights(ql=1.0, fm=0.0, sc=0.0, lr=0.3)
    told = {}
    for before in (False, True):
        state = start(agent := make(ql_before_step=before), batch)
        draws = agent.draw_critic(batch, key=jax.random.key(1)), agent.draw_actor(batch, key=jax.random.key(2))
        after, metrics = eqx.filter_jit(agent.update_with)(state, batch, weights, *draws)
        critic = state.nets["critic"] if before else after.nets["critic"]
        nets = state.nets | {"critic": critic}
        told[before], _ = agent.actor_loss(nets, state.targets, batch, weights, draws[1])
        np.testing.assert_allclose(metrics["loss_actor"], told[before], rtol=1e-4)
    assert abs(told[True] - told[False]) > 0.01


def test_self_consistency_steps_are_dealt_finest_first_or_drawn(batch):
    dealt = draw_self_consistency(batch, 8, deal=True, key=jax.random.key(0))
    np.testing.assert_array_equal(dealt.h, np.repeat([1 / 4, 1 / 2, 1], (6, 5, 5)))
    for deal in (False, True):
        draws = [draw_self_consistency(batch, 8, deal=deal, key=jax.random.key(i)) for i in range(40)]
        h, t = (np.concatenate([np.asarray(getattr(draw, name)) for draw in draws]) for name in "ht")
        assert {*np.unique(h)} == {1 / 4, 1 / 2, 1}
        assert (t % h == 0).all()
        assert (t + h <= 1).all()
        assert all(len(np.unique(t[h == size])) == 1 / size for size in (1 / 4, 1 / 2, 1))


def test_official_turns_every_departure_on_and_paper_none():
    official, paper = (sorl(name, "cube-single").departures for name in ("official", "paper"))
    names = [field.name for field in dataclasses.fields(Departures)]
    assert all(getattr(official, name) for name in names)
    assert not any(getattr(paper, name) for name in names)


@pytest.mark.parametrize("name", sorted(PRESETS["sorl"]))
@pytest.mark.parametrize("environment", sorted(ENVIRONMENTS))
def test_presets_take_the_environment_table(name, environment):
    chosen = preset("sorl", name, environment)
    if name != "small":
        assert float(chosen.weights.ql) == ENVIRONMENTS[environment].ql
    assert sorl(name, environment).pessimism == ENVIRONMENTS[environment].pessimism


def test_unknown_presets_get_suggestions():
    with pytest.raises(UnknownNameError, match="did you mean paper"):
        preset("sorl", "papr", "cube-single")


@pytest.mark.parametrize("field", ["m_disc", "m_btt"])
@pytest.mark.parametrize("m", [0, 3, 6, -2])
def test_training_refuses_step_counts_that_are_no_powers_of_two(field, m):
    with pytest.raises(WorkbenchError, match=f"{field}={m} cannot be trained"):
        SORL(**{field: m})


def test_every_metric_has_a_meaning(batch):
    agent = make()
    state, metrics = update(agent, start(agent, batch), batch, LossWeights())
    held_out = agent.validate(state, batch, LossWeights(), key=jax.random.key(0))
    assert set(metrics) | set(held_out) <= set(MEANINGS)
    assert not any("\n" in meaning for meaning in MEANINGS.values())


def test_step_counts_of_training_are_independent(batch):
    for m_disc, m_btt in ((2, 8), (16, 1), (4, 4)):
        agent = SORL(width=8, depth=1, m_disc=m_disc, m_btt=m_btt)
        _, metrics = update(agent, start(agent, batch), batch, LossWeights())
        assert np.isfinite(float(metrics["loss_actor"]))


def test_best_of_n_of_a_batch_equals_a_loop_over_rows(batch):
    agent = make()
    state = start(agent, batch)
    keys = jax.random.split(jax.random.key(3), ROWS)
    budget = Budget.exactly(3, 7)
    together = jax.vmap(lambda x, key: agent.act(state, x, budget, key=key))(batch.x, keys)
    for i in range(ROWS):
        one = agent.act(state, batch.x[i], budget, key=keys[i])
        np.testing.assert_allclose(together.a[i], one.a, atol=1e-5)
        q = [float(state.nets["critic"](batch.x[i], a).mean()) for a in one.candidates]
        np.testing.assert_allclose(one.q, max(q), rtol=1e-4)
        np.testing.assert_allclose(one.a, one.candidates[int(np.argmax(q))])


def test_candidates_beyond_n_are_never_chosen(batch):
    agent = make()
    state, key = start(agent, batch), jax.random.key(4)
    wide = agent.act(state, batch.x[0], Budget(m_inf=2, n=3, n_max=32), key=key)
    exact = agent.act(state, batch.x[0], Budget.exactly(2, 3), key=key)
    np.testing.assert_allclose(wide.a, exact.a, atol=1e-6)


def test_the_verifier_can_be_pessimistic(batch):
    agent = make()
    state, key = start(agent, batch), jax.random.key(5)
    decision = agent.act(state, batch.x[0], Budget.exactly(1, 16, "min"), key=key)
    q = jnp.stack([state.nets["critic"](batch.x[0], a).min() for a in decision.candidates])
    np.testing.assert_allclose(decision.q, q.max(), rtol=1e-4)


def test_acting_samples_with_the_steps_asked_for(batch):
    agent = make()
    state, key = start(agent, batch), jax.random.key(6)
    decision = agent.act(state, batch.x[0], Budget.exactly(5, 1), key=key)
    a_0 = jax.random.normal(jax.random.fold_in(key, 0), (ACT,))
    expected = euler(state.nets["actor"], a_0, batch.x[0], jnp.asarray(5))
    np.testing.assert_allclose(decision.a, expected, atol=1e-6)
