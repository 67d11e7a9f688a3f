"""The loss terms of the ten baselines against numbers worked out by hand, on networks that answer constants."""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.unit.agents import tiny
from tests.unit.constants import BATCH, CRITIC, KEY, SIZE, TARGET, VALUE, WEIGHTS, X, answers, fresh, rows, run, state
from workbench import losses
from workbench.agents.baseline import ImplicitValues, bootstrap, flow_loss
from workbench.agents.metrics import MEANINGS
from workbench.nets import Critic, Denoiser, Policy, Velocity
from workbench.types import Batch, LossWeights


def test_expectile_by_hand():
    assert float(losses.expectile(jnp.asarray(2.0), 0.75)) == 3.0
    assert float(losses.expectile(jnp.asarray(-2.0), 0.75)) == 1.0


def test_the_expectile_of_a_coin_minimises_the_loss():
    # Heads 1/4: 0.9 · 1/4 · (1 − v) = 0.1 · 3/4 · v gives v = 0.75.
    def loss(v):
        return 0.25 * losses.expectile(1.0 - v, 0.9) + 0.75 * losses.expectile(0.0 - v, 0.9)

    np.testing.assert_allclose(jax.grad(loss)(jnp.asarray(0.75)), 0.0, atol=1e-6)


def test_advantage_weight_by_hand_with_its_cap_and_no_gradient():
    weight = [float(losses.advantage_weight(jnp.asarray(a), jnp.asarray(2.0))) for a in (0.0, 1.0, -1.0, 50.0)]
    np.testing.assert_allclose(weight, [1.0, np.exp(2), np.exp(-2), 100.0], rtol=1e-6)
    assert float(jax.grad(lambda a: losses.advantage_weight(a, jnp.asarray(2.0)))(jnp.asarray(1.0))) == 0.0


def test_gaussian_nll_by_hand():
    value = losses.gaussian_nll(jnp.asarray([1.0, 0.0]), jnp.asarray([0.0, 2.0]))
    np.testing.assert_allclose(value, 0.5 * 5 + np.log(2 * np.pi), rtol=1e-6)


def test_denoising_by_hand():
    # With a model that answers the noised action: α a + σ z − z at t = 1, where α² = exp(−5.05).
    alpha = np.exp(-5.05 / 2)
    expected = (alpha * 2.0 + (np.sqrt(1 - alpha**2) - 1.0) * 3.0) ** 2
    value = losses.denoising(
        lambda a, t, x: a, jnp.asarray([2.0]), jnp.asarray([3.0]), jnp.asarray(1.0), X, beta_max=10.0
    )
    np.testing.assert_allclose(value, expected, rtol=1e-4)


def test_denoising_and_consistency_are_means_over_action_dimensions():
    def zeros(a, t, x):
        return jnp.zeros_like(a)

    t, a, noise = jnp.asarray(1.0), jnp.zeros(2), jnp.asarray([3.0, 1.0])
    assert float(losses.denoising(zeros, a, noise, t, X, beta_max=10.0)) == (9 + 1) / 2

    def consistency(a, noise):
        low, high = jnp.asarray(0.502), jnp.asarray(1.002)
        return float(losses.consistency(zeros, zeros, jnp.asarray(a), jnp.asarray(noise), low, high, X))

    each = consistency([0.3], [2.0]), consistency([-0.5], [1.0])
    np.testing.assert_allclose(consistency([0.3, -0.5], [2.0, 1.0]), np.mean(each), rtol=1e-5)


def test_the_score_term_carries_an_action_along_the_stopped_score():
    def loss(a):
        return losses.score_regularised(
            lambda a, t, x: 5.0 * a, a, jnp.asarray([1.0]), jnp.asarray(1.0), X, beta_max=10.0
        )

    alpha, sigma = np.exp(-5.05 / 2), np.sqrt(1 - np.exp(-5.05))
    expected = sigma**2 * (5.0 * (alpha * 0.5 + sigma) - 1.0)
    np.testing.assert_allclose(jax.grad(loss)(jnp.asarray([0.5])), [expected], rtol=1e-4)


def test_consistency_by_hand_and_its_stopped_target():
    # Networks that answer θ: f = skip · (a + σ z) + out · θ, between noise levels 0.502 and 1.002.
    def f(theta, sigma):
        past = sigma - 0.002
        skip, out = 0.25 / (past**2 + 0.25), 0.5 * past / np.sqrt(sigma**2 + 0.25)
        return skip * (0.3 + sigma * 2.0) + out * theta

    def loss(theta, theta_target):
        low, high = jnp.asarray(0.502), jnp.asarray(1.002)
        net, target = (lambda a, t, x, v=v: jnp.full(1, v) for v in (theta, theta_target))
        return losses.consistency(net, target, jnp.asarray([0.3]), jnp.asarray([2.0]), low, high, X)

    np.testing.assert_allclose(loss(1.0, -1.0), (f(1.0, 1.002) - f(-1.0, 0.502)) ** 2 * 100 / 0.5, rtol=1e-4)
    online, target = jax.grad(loss, argnums=(0, 1))(1.0, -1.0)
    assert float(online) != 0.0
    assert float(target) == 0.0


def test_targets_bootstrap_only_where_the_episode_goes_on():
    np.testing.assert_allclose(bootstrap(BATCH, jnp.asarray(0.5), jnp.asarray([4.0, 4.0])), [3.0, -1.0])


@eqx.filter_jit
def _flow_loss(flow: Velocity, batch: Batch, weight: Any) -> Any:
    return flow_loss(flow, batch, key=KEY, weight=weight)


def test_flow_loss_by_hand_in_expectation_and_weighted():
    # A velocity of (1, 0): error per coordinate (u − a + z)², mean 1 from z and ((0.5)² + (1.5)²) / 2 / 2 from u − a.
    flow, many = answers(Velocity(1, 2, **SIZE), 1.0, 0.0), rows(BATCH, 20_000)
    np.testing.assert_allclose(_flow_loss(flow, many, None), 1.625, rtol=0.03)
    first = jnp.tile(jnp.asarray([2.0, 0.0]), 20_000)  # twice the first row, nothing of the second
    np.testing.assert_allclose(_flow_loss(flow, many, first), 1.125, rtol=0.03)


def test_implicit_values_by_hand():
    implicit, nets = ImplicitValues(0.75), state(critic_target=TARGET, value=VALUE)
    loss, _ = run(implicit.value_loss, VALUE, nets)
    assert float(loss) == 0.25 * (2.0 - 4.0) ** 2  # the smaller target critic is below V
    loss, told = run(implicit.critic_loss, CRITIC, nets)
    assert float(loss) == np.mean([(1 - 3) ** 2, (3 - 3) ** 2, (1 + 1) ** 2, (3 + 1) ** 2])
    assert [float(told[name]) for name in ("q_mean", "q_min", "q_max")] == [2.0, 1.0, 3.0]


def test_bc_by_hand():
    actor = answers(Policy(1, 2, **SIZE), 0.5, 1.0)
    loss, _ = run(tiny("bc").actor_loss, actor, state())
    np.testing.assert_allclose(loss, np.log(2 * np.pi) + 0.5 * (1.0 + 2.0) / 2, rtol=1e-6)


def test_iql_by_hand():
    actor = answers(Policy(1, 2, **SIZE), 0.5, 1.0)
    loss, told = run(tiny("iql").actor_loss, actor, state(critic=CRITIC, value=VALUE))
    np.testing.assert_allclose(told["advantage_weight"], np.exp(2.0 * (1.0 - 4.0)), rtol=1e-5)
    np.testing.assert_allclose(loss, np.exp(-6.0) * (np.log(2 * np.pi) + 0.75), rtol=1e-5)


def test_rebrac_by_hand():
    agent = dataclasses.replace(tiny("rebrac"), noise=0.0)
    actor = answers(Policy(1, 2, squash=True, **SIZE), np.arctanh(0.5), 0.0)
    nets = state(actor_target=actor, critic_target=TARGET, critic=CRITIC)
    loss, _ = run(agent.critic_loss, CRITIC, nets)
    y = 1.0 + 0.5 * (2.0 - 0.25 * 0.5)  # smaller target critic, ‖(0.5, 0) − (0, 0.5)‖² = 0.5
    np.testing.assert_allclose(loss, np.mean([(1 - y) ** 2, (3 - y) ** 2, 4.0, 16.0]), rtol=1e-5)
    loss, told = run(agent.actor_loss, actor, nets)
    np.testing.assert_allclose([told["loss_ql"], told["loss_bc"]], [-1.0, 0.5], rtol=1e-5)
    np.testing.assert_allclose(loss, -1.0 + 2.0 * 0.5, atol=1e-5)


def test_the_noise_of_rebrac_is_clipped():
    agent = dataclasses.replace(tiny("rebrac"), noise=1e6)
    actor = answers(Policy(1, 2, squash=True, **SIZE), 0.0, 0.0)
    nets = state(actor_target=actor, critic_target=answers(TARGET, 0.0, 0.0))
    batch = dataclasses.replace(BATCH, a_next=jnp.zeros((2, 2)), r=jnp.zeros(2))
    loss, _ = run(agent.critic_loss, answers(CRITIC, 0.0, 0.0), nets, batch)
    np.testing.assert_allclose(loss, (0.5 * 0.25 * 0.5) ** 2 / 2, rtol=1e-5)  # every coordinate is ±0.5


def test_fql_by_hand():
    agent = tiny("fql")
    nets = state(flow=answers(Velocity(1, 2, **SIZE), 99.0, -99.0), critic=CRITIC, critic_target=TARGET)
    actor = answers(Policy(1, 2, noise=2, **SIZE), 0.5, 0.0)
    loss, told = run(agent.actor_loss, actor, nets)
    np.testing.assert_allclose(told["loss_distill"], (0.5**2 + 1.0) / 2)  # the flow ends clipped at (1, −1)
    np.testing.assert_allclose(loss, -2.0 + 2.0 * 0.625)
    nets.nets["actor"] = actor
    loss, _ = run(agent.critic_loss, CRITIC, nets)
    np.testing.assert_allclose(loss, np.mean([(1 - 3) ** 2, 0.0, 4.0, 16.0]))  # y = 1 + 0.5 · mean(2, 6)


def test_fbrac_by_hand():
    flow, many = answers(Velocity(1, 2, **SIZE), 1.0, 0.0), rows(BATCH, 20_000)
    loss, told = run(tiny("fbrac").actor_loss, flow, state(critic=CRITIC), many)
    assert float(told["loss_ql"]) == -2.0
    np.testing.assert_allclose(loss, -2.0 + 2.0 * 1.625, rtol=0.03)


def test_fawac_by_hand():
    agent, flow = tiny("fawac"), answers(Velocity(1, 2, **SIZE), 1.0, 0.0)
    nets = state(actor=flow, critic=CRITIC, critic_target=TARGET, value=VALUE)
    loss, _ = run(agent.value_loss, VALUE, nets)
    assert float(loss) == 0.0  # V is the mean of the target critics
    loss, told = run(agent.actor_loss, flow, nets)
    np.testing.assert_allclose(loss, np.exp(2.0 * (2.0 - 4.0)) * _flow_loss(flow, BATCH, None), rtol=1e-5)
    np.testing.assert_allclose(told["advantage_weight"], np.exp(-4.0), rtol=1e-5)
    _, told = run(dataclasses.replace(agent, pessimism=1.0).actor_loss, flow, nets)
    np.testing.assert_allclose(told["advantage_weight"], np.exp(2.0 * (1.0 - 4.0)), rtol=1e-5)  # the smaller critic


def test_cac_by_hand():
    agent, actor = tiny("cac"), answers(Denoiser(1, 2, **SIZE), 0.0, 0.0)
    nets = state(actor=actor, actor_target=actor, critic=CRITIC, critic_target=TARGET)
    loss, told = run(agent.actor_loss, actor, nets)
    assert float(told["loss_ql"]) == -1.0
    np.testing.assert_allclose(loss, told["loss_consistency"] - 3.0, rtol=1e-6)
    loss, _ = run(agent.critic_loss, CRITIC, nets)
    np.testing.assert_allclose(loss, np.mean([(1 - 3) ** 2, 0.0, 4.0, 16.0]))


def test_cac_backs_up_the_best_of_its_samples():
    agent = tiny("cac")
    nets = fresh(agent)
    one, ten = (dataclasses.replace(agent, backup=k) for k in (1, 10))
    spread = dataclasses.replace(rows(BATCH, 40), r=jnp.zeros(80), mask=jnp.ones(80))
    zero = answers(CRITIC, 0.0, 0.0)  # with γ = 1 its loss is the mean square of what is backed up
    shifted = dataclasses.replace(nets, targets=nets.targets | {"critic": _shifted(nets.targets["critic"], 100.0)})
    backed = [run(a.critic_loss, zero, shifted, spread, LossWeights(gamma=1.0))[0] ** 0.5 for a in (one, ten)]
    assert float(backed[1]) > float(backed[0]) + 1e-3


def _shifted(critic: Critic, by: float) -> Critic:
    biases = [jnp.asarray(mlp.layers[-1].bias) + by for mlp in critic.mlps]
    return eqx.tree_at(lambda n: [mlp.layers[-1].bias for mlp in n.mlps], critic, biases)


def test_the_q_coefficient_of_srpo_weighs_the_targets_mean():
    agent = tiny("srpo")
    nets = fresh(agent)
    nets = dataclasses.replace(nets, targets={"critic": TARGET})
    zero, some = (
        run(agent.actor_loss, nets.nets["actor"], nets, BATCH, dataclasses.replace(WEIGHTS, beta=b))[0]
        for b in (0.0, 0.25)
    )
    np.testing.assert_allclose(some - zero, -0.25 * 4.0, rtol=1e-5)


@pytest.mark.parametrize("name", ["bc", "iql", "rebrac", "idql", "srpo", "cac", "fawac", "fbrac", "ifql", "fql"])
def test_every_metric_has_a_meaning(name):
    agent = tiny(name)
    nets = eqx.filter_eval_shape(agent.init, jax.tree.map(lambda leaf: leaf[0], BATCH), key=KEY)
    _, told = eqx.filter_eval_shape(agent.update, nets, BATCH, WEIGHTS)
    held_out = eqx.filter_eval_shape(agent.validate, nets, BATCH, WEIGHTS, key=KEY)
    assert {*told, *held_out} <= set(MEANINGS)
    assert set(held_out) == {f"val_{role}" for role in agent.terms()}


def test_no_meaning_is_longer_than_a_line():
    assert not any("\n" in meaning for meaning in MEANINGS.values())
