"""Flow mathematics against closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.flow import (
    deal_steps,
    euler,
    euler_dealt_batch,
    euler_path,
    euler_unrolled,
    interpolate,
    is_power_of_two,
    mean_of_two_steps,
)

X = jnp.zeros(3)


def growth(rate: float):
    """The exact shortcut of da/dt = rate · a."""
    return lambda a_t, t, h, x: a_t * jnp.expm1(rate * h) / h


def velocity(rate: float):
    """The instantaneous velocity of the same equation, whatever h."""
    return lambda a_t, t, h, x: rate * a_t


@pytest.mark.parametrize("rate", [-2.0, 0.5, 1.5])
@pytest.mark.parametrize("h", [0.5, 0.25, 0.125])
def test_exact_shortcut_is_self_consistent(rate, h):
    with jax.enable_x64(True):
        a_t = jnp.asarray([0.3, -0.7], jnp.float64)
        s, t, h = growth(rate), jnp.asarray(0.0, jnp.float64), jnp.asarray(h, jnp.float64)
        np.testing.assert_allclose(mean_of_two_steps(s, a_t, t, h, X), s(a_t, t, 2 * h, X), rtol=0, atol=1e-6)


@pytest.mark.parametrize("rate", [-2.0, 0.5, 1.5])
@pytest.mark.parametrize(
    ("t", "h", "h_2"), [(0.0, 1 / 3, 2 / 3), (0.1, 0.3, 0.05), (0.2, 0.0625, 0.7), (0.4, 0.3, 0.3)]
)
def test_exact_shortcut_is_consistent_over_any_split(rate, t, h, h_2):
    with jax.enable_x64(True):
        a_t, s = jnp.asarray([0.3, -0.7], jnp.float64), growth(rate)
        t, h, h_2 = (jnp.asarray(each, jnp.float64) for each in (t, h, h_2))
        np.testing.assert_allclose(mean_of_two_steps(s, a_t, t, h, X, h_2), s(a_t, t, h + h_2, X), rtol=0, atol=1e-6)


@pytest.mark.parametrize("h", [0.5, 0.25, 0.1, 1 / 3])
def test_the_dyadic_split_is_the_one_of_equal_steps(h):
    def s(a_t, t, h, x):
        return jnp.sin(3.0 * a_t + t) + h

    a_t, t, h = jnp.asarray([0.3, -0.7]), jnp.asarray(0.0), jnp.asarray(h)
    two = mean_of_two_steps(s, a_t, t, h, X)
    np.testing.assert_allclose(mean_of_two_steps(s, a_t, t, h, X, h), two, rtol=2e-7)


def test_euler_converges_at_order_one():
    rate, a_0 = -1.0, 0.8
    with jax.enable_x64(True):
        steps = [8, 16, 32, 64]
        errors = [
            abs(float(euler(velocity(rate), jnp.asarray([a_0]), X, jnp.asarray(m))[0]) - a_0 * np.exp(rate))
            for m in steps
        ]
    orders = np.log2(np.array(errors[:-1]) / np.array(errors[1:]))
    np.testing.assert_allclose(orders, 1.0, atol=0.06)


def test_exact_shortcut_lands_in_any_number_of_steps():
    for m in (1, 2, 3, 7, 8):
        end = euler(growth(-1.0), jnp.asarray([0.8]), X, jnp.asarray(m))
        np.testing.assert_allclose(end, 0.8 * np.exp(-1.0), rtol=2e-6)


def test_euler_clips_to_the_action_range():
    np.testing.assert_array_equal(
        euler(velocity(5.0), jnp.asarray([0.9, -0.9, 0.0]), X, jnp.asarray(4)), [1.0, -1.0, 0.0]
    )


def test_interpolation_ends():
    a_0, a_1 = jnp.asarray([1.0, 2.0]), jnp.asarray([-1.0, 0.5])
    np.testing.assert_array_equal(interpolate(a_0, a_1, jnp.asarray(0.0)), a_0)
    np.testing.assert_array_equal(interpolate(a_0, a_1, jnp.asarray(1.0)), a_1)
    np.testing.assert_allclose(interpolate(a_0, a_1, jnp.asarray(1.0), sigma_min=0.1), a_1 + 0.1 * a_0)


@given(batch=st.integers(1, 300), k=st.integers(0, 4))
def test_steps_are_dealt_in_equal_shares(batch, k):
    m = deal_steps(batch, 2**k)
    counts = [(m == 2**i).sum() for i in range(k + 1)]
    assert len(m) == batch
    assert max(counts) - min(counts) <= 1
    assert (np.diff(m) <= 0).all()
    every = deal_steps(batch, 2**k, every=True)
    shares = [(every == i + 1).sum() for i in range(2**k)]
    assert len(every) == sum(shares) == batch
    assert max(shares) - min(shares) <= 1


@pytest.mark.parametrize("every", [False, True])
def test_dealt_batch_equals_a_loop_over_rows(every):
    key = jax.random.key(0)
    a_0 = jax.random.normal(key, (10, 2))
    x = jax.random.normal(jax.random.fold_in(key, 1), (10, 3))

    def s(a_t, t, h, x):
        return jnp.sin(3.0 * a_t + t) + h * x[:2]

    rows = [euler_unrolled(s, a_0[i], x[i], int(m)) for i, m in enumerate(deal_steps(10, 8, every=every))]
    np.testing.assert_allclose(euler_dealt_batch(s, a_0, x, 8, every=every), jnp.stack(rows), rtol=1e-6)


def test_gradient_runs_through_every_step():
    # a_m = a_0 (1 + w/m)^m, so d a_m / d w = a_0 (1 + w/m)^(m-1).
    for m in (1, 2, 4, 8):
        gradient = jax.grad(lambda w, m=m: euler_unrolled(velocity(w), jnp.asarray([0.3]), X, m)[0])(0.5)
        np.testing.assert_allclose(gradient, 0.3 * (1 + 0.5 / m) ** (m - 1), rtol=1e-6)


def test_changing_the_step_count_does_not_trace_again():
    traces = 0

    @jax.jit
    def run(m):
        nonlocal traces
        traces += 1
        return euler(growth(-1.0), jnp.asarray([0.5]), X, m)

    for m in range(1, 20):
        run(jnp.asarray(m))
    assert traces == 1


def test_the_path_is_the_unclipped_sampler():
    points, velocities = euler_path(velocity(2.0), jnp.array([0.9, -0.1]), X, 4)
    np.testing.assert_allclose(points, 1.5 ** np.arange(5)[:, None] * np.array([0.9, -0.1]), rtol=1e-5)
    np.testing.assert_allclose(velocities, 2 * points[:-1], rtol=1e-6)


def test_power_of_two():
    assert [m for m in range(-1, 20) if is_power_of_two(m)] == [1, 2, 4, 8, 16]
