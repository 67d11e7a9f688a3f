"""Diffusion and consistency mathematics against closed forms: schedules, exact denoisers, hand-computed steps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from workbench.diffusion import (
    SIGMA_MAX,
    SIGMA_MIN,
    ancestral,
    consistency_sample,
    consistent,
    noise_level,
    preserved,
)

X = jnp.zeros(1)
BETA = 10.0


def gaussian_noise(mean: float, scale: float):
    """What noise an exact model sees when data is N(mean, scale²) in each coordinate."""

    def predict(a_t, t, x):
        alpha, sigma = preserved(t, BETA)
        return sigma * (a_t - alpha * mean) / (alpha**2 * scale**2 + sigma**2)

    return predict


def test_signal_and_noise_by_hand():
    alpha, sigma = preserved(jnp.asarray(1.0), BETA)
    np.testing.assert_allclose(alpha**2, np.exp(-5.05), rtol=1e-5)
    np.testing.assert_allclose(alpha**2 + sigma**2, 1.0, rtol=1e-6)
    assert [float(v) for v in preserved(jnp.asarray(0.0), BETA)] == [1.0, 0.0]


def test_the_schedule_of_five_steps_is_the_continuous_one_sampled():
    steps = 5
    per_step = [np.exp(-0.1 / steps - 0.5 * 9.9 * (2 * k - 1) / steps**2) for k in range(1, steps + 1)]
    continuous = [float(preserved(jnp.asarray(k / steps), BETA)[0]) ** 2 for k in range(1, steps + 1)]
    np.testing.assert_allclose(continuous, np.cumprod(per_step), rtol=1e-5)


@pytest.mark.parametrize("m", [1, 2, 3, 5, 8])
def test_a_single_action_is_found_exactly_in_any_number_of_steps(m):
    a = ancestral(
        gaussian_noise(0.3, 0.0), jnp.asarray([2.0]), X, jnp.asarray(m), levels=5, beta_max=BETA, key=jax.random.key(0)
    )
    np.testing.assert_allclose(a, 0.3, atol=1e-4)


def ddpm_deviation(scale: float, levels: int) -> float:
    """Standard deviation of DDPM's samples where data is N(mean, scale²): every step is linear in a_t."""
    variance = 1.0
    for k in range(levels, 0, -1):
        alpha, alpha_s = (np.exp(-0.5 * (0.1 * t + 4.95 * t**2)) for t in (k / levels, (k - 1) / levels))
        noise, noise_s = 1 - alpha**2, 1 - alpha_s**2
        added = noise - (alpha / alpha_s) ** 2 * noise_s
        gain = alpha_s * added / noise * alpha * scale**2 / (alpha**2 * scale**2 + noise)
        gain += alpha / alpha_s * noise_s / noise
        variance = gain**2 * variance + (added if k > 1 else 0.0)
    return float(np.sqrt(variance))


@pytest.mark.parametrize("levels", [5, 50])
def test_samples_of_gaussian_data_spread_as_the_recursion_of_variances_says(levels):
    def sample(key):
        key_start, key_steps = jax.random.split(key)
        noise, m = jax.random.normal(key_start, (2,)), jnp.asarray(levels)
        return ancestral(gaussian_noise(0.2, 0.15), noise, X, m, levels=levels, beta_max=BETA, key=key_steps)

    a = jax.jit(jax.vmap(sample))(jax.random.split(jax.random.key(1), 4000))
    np.testing.assert_allclose(a.mean(0), 0.2, atol=0.01)
    np.testing.assert_allclose(a.std(0), ddpm_deviation(0.15, levels), rtol=0.04)


@pytest.mark.parametrize("m", range(1, 10))
def test_only_trained_times_are_asked_for(m):
    def predict(a_t, t, x):
        trained = jnp.isclose(t * 5, jnp.round(t * 5), atol=1e-5) & (t > 0.1)
        return jnp.where(trained, 0.1 * a_t, jnp.nan)

    a = ancestral(predict, jnp.ones(2), X, jnp.asarray(m), levels=5, beta_max=BETA, key=jax.random.key(2))
    assert np.isfinite(a).all()


def test_more_steps_than_trained_times_change_nothing():
    sample = jax.jit(
        lambda m: ancestral(
            gaussian_noise(0.2, 0.15), jnp.ones(2), X, m, levels=5, beta_max=BETA, key=jax.random.key(2)
        )
    )
    np.testing.assert_array_equal(sample(jnp.asarray(9)), sample(jnp.asarray(5)))


def test_noise_levels_run_from_least_to_most_and_are_dense_below():
    levels = np.asarray([noise_level(i, 40) for i in range(40)])
    np.testing.assert_allclose(levels[[0, -1]], [SIGMA_MIN, SIGMA_MAX], rtol=1e-4)
    assert (np.diff(levels) > 0).all()
    assert (np.diff(levels, 2) > 0).all()
    np.testing.assert_allclose(noise_level(1, 3), ((0.002 ** (1 / 7) + 80 ** (1 / 7)) / 2) ** 7, rtol=1e-4)


def test_the_consistency_model_is_the_identity_at_the_least_noise():
    a = jnp.asarray([0.4, -2.0])
    np.testing.assert_array_equal(consistent(lambda a, t, x: a + 99.0, a, jnp.asarray(SIGMA_MIN), X), a)


def test_the_consistency_model_by_hand():
    # σ = 0.502: skip 0.25 / (0.25 + 0.25), scale² 0.252004 + 0.25, and a network that answers 3 whatever it is asked.
    value = consistent(lambda a, t, x: jnp.full(1, 3.0), jnp.asarray([2.0]), jnp.asarray(0.502), X)
    np.testing.assert_allclose(value, 0.5 * 2.0 + 0.25 / np.sqrt(0.502004) * 3.0, rtol=1e-5)


def test_the_network_is_asked_about_scaled_actions_and_the_logarithm_of_noise():
    asked = []
    consistent(lambda a, t, x: asked.append((a, t)) or a, jnp.asarray([8.0]), jnp.asarray(2.0), X)
    np.testing.assert_allclose(asked[0][0], 8.0 / np.sqrt(4.25), rtol=1e-6)
    np.testing.assert_allclose(asked[0][1], 0.25 * np.log(2.0), rtol=1e-6)


def test_steps_traced_and_fixed_agree_and_fixed_ones_have_gradients():
    def sample(theta, m):
        def net(a, t, x):
            return theta * jnp.tanh(a) * (1.0 + t)

        return consistency_sample(net, jnp.asarray([0.3]), X, m, key=jax.random.key(3))[0]

    for m in (1, 2, 4):
        np.testing.assert_allclose(sample(0.5, m), jax.jit(sample)(0.5, jnp.asarray(m)), rtol=1e-5)
    eps = 1e-2
    numeric = (sample(0.5 + eps, 2) - sample(0.5 - eps, 2)) / (2 * eps)
    np.testing.assert_allclose(jax.grad(lambda theta: sample(theta, 2))(0.5), numeric, rtol=0.02)
