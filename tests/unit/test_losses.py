"""Each loss term against numbers worked out by hand."""

import jax
import jax.numpy as jnp
import numpy as np

from workbench import losses

X = jnp.zeros(1)


def scaled(theta):
    """s = theta · a_t."""
    return lambda a_t, t, h, x: theta * a_t


def test_flow_matching_by_hand():
    # a_t = 0.5·2 + 0.5·(−1) = 0.5, s = 3·0.5 = 1.5, target −1 − 2 = −3, error 4.5² = 20.25.
    a_0, a_1, t, h = jnp.asarray([2.0]), jnp.asarray([-1.0]), jnp.asarray(0.5), jnp.asarray(0.125)
    assert float(losses.flow_matching(scaled(3.0), a_0, a_1, t, h, X)) == 20.25


def test_flow_matching_is_a_mean_over_dimensions():
    a_0, a_1 = jnp.asarray([1.0, 0.0]), jnp.asarray([0.0, 2.0])
    value = losses.flow_matching(scaled(0.0), a_0, a_1, jnp.asarray(0.25), jnp.asarray(0.125), X)
    assert float(value) == 2.5  # ((0 − 1)² + (2 − 0)²) / 2


def test_self_consistency_by_hand():
    # s = a: first 1, a_{t+h} = 1.25, second 1.25, target 1.125, one step of 2h: 1. Error 0.125².
    value = losses.self_consistency(
        scaled(1.0), scaled(1.0), jnp.asarray([1.0]), jnp.asarray(0.0), jnp.asarray(0.25), X
    )
    assert float(value) == 0.125**2


def test_self_consistency_over_unequal_steps_by_hand():
    # s = a: first 1 for a quarter, a_{t+h} = 1.25, second 1.25 for a half: mean (0.25 + 0.625) / 0.75 = 7/6, and 1.
    t, h, h_2 = jnp.asarray(0.0), jnp.asarray(0.25), jnp.asarray(0.5)
    value = losses.self_consistency(scaled(1.0), scaled(1.0), jnp.asarray([1.0]), t, h, X, h_2)
    np.testing.assert_allclose(value, 1 / 36, rtol=1e-6)


def test_self_consistency_stops_the_target():
    def loss(theta, theta_target):
        return losses.self_consistency(
            scaled(theta), scaled(theta_target), jnp.asarray([1.0]), jnp.asarray(0.0), jnp.asarray(0.25), X
        )

    online, target = jax.grad(loss, argnums=(0, 1))(1.0, 1.0)
    np.testing.assert_allclose(online, 2 * (1.0 - 1.125))
    assert float(target) == 0.0


def test_q_loss_by_hand_and_its_stopped_scale():
    q = jnp.asarray([4.0, -2.0])
    value = jax.vmap(losses.q_loss, in_axes=(0, None))(q, jnp.mean(jnp.abs(q)))
    np.testing.assert_allclose(value, [-4 / 3, 2 / 3])
    gradient = jax.grad(lambda q: losses.q_loss(q, jnp.abs(q)))(jnp.asarray(-5.0))
    np.testing.assert_allclose(gradient, -1 / 5)


def test_q_loss_of_a_critic_that_is_zero_everywhere_is_zero():
    value, slope = jax.value_and_grad(losses.q_loss)(jnp.zeros(()), jnp.zeros(()))
    assert float(value) == 0.0
    assert np.isfinite(slope)


def test_td_by_hand():
    y = losses.td_target(jnp.asarray(-1.0), jnp.asarray(1.0), jnp.asarray(0.5), jnp.asarray(4.0))
    assert float(y) == 1.0
    assert float(losses.td_target(jnp.asarray(-1.0), jnp.asarray(0.0), jnp.asarray(0.5), jnp.asarray(4.0))) == -1.0
    assert float(losses.td(jnp.asarray([1.0, 4.0]), y)) == 4.5


def test_aggregate_between_mean_and_min():
    q = jnp.asarray([1.0, 3.0])
    assert [float(losses.aggregate(q, p)) for p in (0.0, 0.5, 1.0)] == [2.0, 1.5, 1.0]
