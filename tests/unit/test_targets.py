"""Next actions of TD targets that are made of several: against loops, and with one the numbers of before."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.unit.agents import minute
from tests.unit.problems import random_data
from workbench.agents.base import TrainState
from workbench.agents.draws import SamplerDraw
from workbench.agents.sorl import SORL
from workbench.agents.targets import made
from workbench.cost import mlp_flop, update_gflop
from workbench.data.dataset import Provenance
from workbench.errors import WorkbenchError
from workbench.nets import Critic, ShortcutActor
from workbench.store.spec import make_spec
from workbench.types import LossWeights
from workbench.verifiers import Rule

DATA = random_data()
BATCH = DATA.sample(4, key=jax.random.key(5))
NOISE = Provenance("arrays", "noise", sha256="0")
WEIGHTS = LossWeights(gamma=0.9)
SAMPLING = ("fql", "fawac", "fbrac")


class Critics(Critic):
    """Three critics that are known, and another offset for their averages."""

    offset: float

    def __init__(self, offset: float = 0.0) -> None:
        self.mlps, self.sees_steps, self.offset = (), False, offset

    def __call__(self, x, a, m=None):
        near = jnp.sum((a - 0.2) ** 2) + self.offset
        return jnp.stack([-near, -2.0 * near + 0.1 * x[0], 0.3 - jnp.sum(jnp.abs(a))])


def judged(x, a, offset: float = 0.0) -> np.ndarray:
    """`Critics` of rows, in numpy."""
    x, a = np.asarray(x, float), np.asarray(a, float)
    near = np.sum((a - 0.2) ** 2, axis=-1) + offset
    return np.stack([-near, -2.0 * near + 0.1 * x[..., 0], 0.3 - np.sum(np.abs(a), axis=-1)], axis=-1)


def expected_action(a: np.ndarray, share: float, k: float, x=BATCH.x) -> np.ndarray:
    """Mean of the best share of a row's candidates by the mean of the critics less k deviations."""
    q = judged(np.asarray(x)[:, None], a)
    value = q.mean(axis=2) - k * q.std(axis=2)
    best = np.argsort(-value, axis=1)[:, : int(np.ceil(share * a.shape[1]))]
    return np.stack([row[each].mean(axis=0) for row, each in zip(a, best, strict=True)])


def expected_loss(a_next: np.ndarray, q: np.ndarray, pessimism: float, deviations: float) -> float:
    """TD loss of critics whose values of the batch are `q`, with a next action a row."""
    target = judged(BATCH.x_next, a_next, 0.5)
    v = (1 - pessimism) * target.mean(axis=1) + pessimism * target.min(axis=1) - deviations * target.std(axis=1)
    y = np.asarray(BATCH.r) + 0.9 * np.asarray(BATCH.mask) * v
    return float(np.mean((q - y[:, None]) ** 2))


@pytest.mark.parametrize(("rule", "share", "k"), [("best", 0.2, 0.0), ("pessimistic:1.5 elite:0.6", 0.6, 1.5)])
def test_an_action_is_made_as_a_loop_makes_it(rule, share, k):
    a = jax.random.uniform(jax.random.key(1), (5, 4, 2), minval=-1.0)
    found = made(Rule.parse(rule), {"critic": Critics()}, BATCH.x, a, key=jax.random.key(2))
    np.testing.assert_allclose(found, expected_action(np.swapaxes(a, 0, 1), share, k), atol=1e-6)


def test_the_next_values_of_a_baseline_are_those_of_a_loop():
    agent = dataclasses.replace(minute("fql"), n_td=3, td_rule="elite:0.5", pessimism=0.25, td_deviations=0.7)
    key, sample = jax.random.key(3), lambda key: jax.random.normal(key, (4, 2))
    nets, targets = {"critic": Critics()}, {"critic": Critics(0.5)}
    state = TrainState(nets=nets, targets=targets, opts={}, key=key, step=jnp.zeros((), jnp.int32))
    found = agent.next_values(state, BATCH.x, sample, key=key)
    drawn = [sample(key), *(sample(jax.random.fold_in(key, i)) for i in (1, 2))]
    a = expected_action(np.stack(drawn, axis=1), 0.5, 0.0)
    one = dataclasses.replace(agent, n_td=1).next_values(state, BATCH.x, sample, key=key)
    for value, chosen in ((found, a), (one, drawn[0])):
        q = judged(BATCH.x, chosen, 0.5)
        expected = 0.75 * q.mean(axis=1) + 0.25 * q.min(axis=1) - 0.7 * q.std(axis=1)
        np.testing.assert_allclose(value, expected, rtol=1e-5)


@pytest.mark.parametrize("name", SAMPLING)
@pytest.mark.parametrize("n", [1, 3])
def test_every_baseline_that_samples_makes_its_next_action_of_so_many(name, n, monkeypatch):
    agent, shapes = dataclasses.replace(minute(name), n_td=n), []
    monkeypatch.setattr("workbench.agents.targets.made", lambda rule, nets, x, a, key: shapes.append(a.shape) or a[0])
    key = jax.random.key(0)

    def loss():
        state = agent.init(DATA.example(), key=key)
        return agent.critic_loss(state.nets["critic"], state, BATCH, WEIGHTS, key=key)

    jax.eval_shape(loss)
    assert shapes == ([] if n == 1 else [(3, 4, 2)])


def test_the_td_loss_of_sorl_is_that_of_a_loop():
    settings = {"n_td": 3, "td_rule": Rule.parse("pessimistic:1 elite:0.5"), "pessimism": 0.5, "td_deviations": 0.7}
    agent = SORL(width=8, depth=1, m_disc=2, m_btt=1)
    actor = ShortcutActor(3, 2, width=8, depth=1, key=jax.random.key(0))
    nets, targets = {"actor": actor, "critic": Critics()}, {"critic": Critics(0.5)}
    more = dataclasses.replace(agent, **settings)
    draw, one = (each.draw_critic(BATCH, key=jax.random.key(4)) for each in (more, agent))
    assert one.more is one.key is None
    assert draw.more is not None
    np.testing.assert_array_equal(draw.a_0, one.a_0)
    noise = [draw.a_0, *draw.more]
    drawn = [agent._samples(actor, BATCH.x_next, SamplerDraw(a_0, draw.level))[0] for a_0 in noise]
    a = expected_action(np.stack(drawn, axis=1), 0.5, 1.0, BATCH.x_next)
    q = judged(BATCH.x, BATCH.a)
    found, _ = more.critic_loss(nets, targets, BATCH, WEIGHTS, draw)
    np.testing.assert_allclose(found, expected_loss(a, q, 0.5, 0.7), rtol=1e-5)
    found, _ = agent.critic_loss(nets, targets, BATCH, WEIGHTS, one)
    np.testing.assert_allclose(found, expected_loss(np.asarray(drawn[0]), q, 0.0, 0.0), rtol=1e-5)


def test_specs_hold_what_is_set_and_one_text_for_one_rule():
    plain = make_spec("own:x", NOISE)
    same = make_spec("own:x", NOISE, settings={"n_td": 1, "td_rule": "mean best", "td_deviations": 0.0})
    assert plain.hash == same.hash
    assert not {"n_td", "td_rule", "td_deviations"} & set(plain.settings)
    set_so = [make_spec("own:x", NOISE, settings={"n_td": 4, "td_rule": text}) for text in ("elite", "mean elite:.50")]
    assert set_so[0].hash == set_so[1].hash
    assert set_so[0].settings["td_rule"] == "elite:0.5"
    again = type(set_so[0]).from_json(set_so[0].to_json()).build_agent()
    assert getattr(again, "td_rule", None) == Rule.parse("elite:0.5")


@pytest.mark.parametrize(
    ("agent", "settings", "sentence"),
    [
        ("sorl", {"n_td": 0}, "agent setting 'n_td' must be at least 1, not 0"),
        ("fql", {"n_td": 2.5}, "agent setting 'n_td' must be a whole number, not 2.5"),
        ("sorl", {"td_deviations": -1}, "agent setting 'td_deviations' must lie between 0 and 1000, not -1"),
        ("fql", {"td_rule": "elit:0.5"}, "unknown verifier 'elit:0.5': did you mean elite"),
        ("sorl", {"td_rule": "elite:2"}, "the share of elite must be above 0 and at most 1, not 2"),
        ("sorl", {"td_rule": 3}, "a rule of choosing is a text such as 'elite:0.5', not 3"),
        ("sorl", {"td_rule": "in_sample elite"}, "verifier in_sample asks a critic that this agent was trained"),
        ("fql", {"td_rule": "in_sample"}, "verifier in_sample asks a critic that this agent was trained"),
        ("iql", {"n_td": 2}, "unknown agent setting 'n_td'"),
    ],
)
def test_what_cannot_be_set_is_one_sentence(agent, settings, sentence):
    with pytest.raises(WorkbenchError, match=sentence) as caught:
        make_spec("own:x", NOISE, agent=agent, settings=settings)
    assert len(str(caught.value).splitlines()) == 1


def test_its_cost_is_the_candidates_and_what_judges_them():
    agent = SORL(width=3, depth=1, m_btt=1)
    actor, critic = mlp_flop(9, 2, width=3, depth=1), mlp_flop(7, 1, width=3, depth=1)
    extra = update_gflop(dataclasses.replace(agent, n_td=4), 5, 2, 16) - update_gflop(agent, 5, 2, 16)
    assert extra * 1e9 == pytest.approx(16 * (3 * actor + 4 * 2 * critic))
