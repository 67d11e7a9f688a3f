"""Toy distributions: the exact velocity against closed forms and Monte Carlo, densities, and the datasets."""

import jax
import jax.numpy as jnp
import numpy as np
import ot
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.data.dataset import ACTION_LIMIT
from workbench.data.toy import TOYS, Mixture, Rings, make_toy, toy
from workbench.errors import DatasetError, UnknownNameError

MIXTURES = ["two_modes_1d", "eight_gaussians", "grid", "tilted"]


def named(name: str) -> Mixture:
    return toy(name).mixture_at(jnp.zeros(1))


def random_mixture(seed: int, modes: int, act: int) -> tuple[Mixture, np.ndarray, np.ndarray, np.ndarray]:
    """A mixture with full covariances (deviations at least 0.2), and the arrays it was made from."""
    rng = np.random.default_rng(seed)
    mean = rng.uniform(-1, 1, (modes, act))
    root = rng.normal(0, 0.3, (modes, act, act))
    cov = root @ root.transpose(0, 2, 1) + 0.04 * np.eye(act)
    weight = rng.uniform(0.2, 1, modes)
    return Mixture.build(mean, cov, weight), mean, cov, weight / weight.sum()


def textbook_velocity(mean, cov, weight, z, t):
    """The velocity of a Gaussian mixture with matrix inverses and plain densities, in numpy float64."""
    eye = np.eye(len(z))
    s = (1 - t) ** 2 * eye + t**2 * cov
    offset = z - t * mean
    distance = np.einsum("ki,kij,kj->k", offset, np.linalg.inv(s), offset)
    p = weight * np.exp(-distance / 2) / np.sqrt(np.linalg.det(2 * np.pi * s))
    drift = mean + np.einsum("kij,kj->ki", (t * cov - (1 - t) * eye) @ np.linalg.inv(s), offset)
    return p / p.sum() @ drift


@jax.jit
def continuity_defect(mixture: Mixture, z: jax.Array, t: jax.Array) -> jax.Array:
    """∂ₜ log p + div u + u · ∇ log p, relative to the size of its terms."""
    grad_z, grad_t = jax.grad(mixture.log_marginal_density, argnums=(0, 1))(z, t)
    divergence = jnp.trace(jax.jacfwd(mixture.velocity)(z, t))
    return (grad_t + divergence + mixture.velocity(z, t) @ grad_z) / (1 + abs(grad_t) + abs(divergence))


def wasserstein_2(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.sqrt(ot.emd2([], [], ot.dist(a.astype(float), b.astype(float)))))


def draws(distribution, count: int, seed: int) -> np.ndarray:
    keys = jax.random.split(jax.random.key(seed), count)
    return np.asarray(jax.jit(jax.vmap(lambda key: distribution.sample(key=key)))(keys))


@pytest.mark.parametrize("t", [0.0, 0.3, 0.9, 1.0])
def test_velocity_of_one_round_gaussian_is_affine(t):
    mean, sd, z = np.array([0.3, -0.2]), 0.4, np.array([0.9, -0.7])
    gaussian = Mixture.build(mean[None], sd**2 * np.eye(2)[None])
    expected = mean + (t * sd**2 - (1 - t)) / ((1 - t) ** 2 + t**2 * sd**2) * (z - t * mean)
    np.testing.assert_allclose(gaussian.velocity(jnp.array(z), jnp.array(t)), expected, rtol=1e-5)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), modes=st.sampled_from([1, 3]), act=st.sampled_from([1, 2]), t=st.floats(0, 1))
def test_velocity_equals_the_formula_with_inverses(seed, modes, act, t):
    with jax.enable_x64(True):
        mixture, mean, cov, weight = random_mixture(seed, modes, act)
        z = np.random.default_rng(seed).normal(size=act)
        actual = jax.jit(Mixture.velocity)(mixture, jnp.array(z), jnp.array(t))
        np.testing.assert_allclose(actual, textbook_velocity(mean, cov, weight, z, t), rtol=1e-7, atol=1e-9)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**31), modes=st.sampled_from([1, 3]), t=st.floats(0.01, 0.99))
def test_density_and_velocity_satisfy_the_continuity_equation(seed, modes, t):
    """Mass moves as the velocity says: exact derivatives in float64."""
    with jax.enable_x64(True):
        mixture = random_mixture(seed, modes, 2)[0]
        z = jnp.array(np.random.default_rng(seed).normal(size=2))
        assert abs(continuity_defect(mixture, z, jnp.array(t))) < 1e-9


@pytest.mark.parametrize("t", [0.0, 0.4, 0.8])
def test_velocity_is_the_conditional_expectation(t):
    """E[a_1 - a_0 | a_t = z] by importance-weighted draws of a_1, within 5 of its own standard errors."""
    mixture, z = named("tilted"), np.array([0.2, 0.1])
    a_1 = draws(mixture, 200_000, seed=1).astype(float)
    a_0 = (z - t * a_1) / (1 - t)
    weight = np.exp(-0.5 * (a_0**2).sum(axis=-1))
    weight /= weight.sum()
    estimate = weight @ (a_1 - a_0)
    error = np.sqrt(weight**2 @ (a_1 - a_0 - estimate) ** 2)
    assert error.max() < 0.01
    np.testing.assert_array_less(abs(mixture.velocity(jnp.array(z), jnp.array(t)) - estimate), 5 * error + 1e-5)


def test_velocity_at_both_ends():
    mixture, z = named("grid"), jnp.array([0.6, -0.5])
    mean = jnp.exp(mixture.log_weight) @ mixture.mean
    np.testing.assert_allclose(mixture.velocity(z, jnp.array(0.0)), mean - z, atol=1e-6)
    np.testing.assert_allclose(mixture.velocity(z, jnp.array(1.0)), z, atol=1e-6)
    far = mixture.velocity(jnp.array([50.0, -80.0]), jnp.array(1 - 1e-6))
    np.testing.assert_allclose(far, [50.0, -80.0], rtol=1e-3)


@pytest.mark.parametrize("name", ["two_modes_1d", "eight_gaussians", "tilted"])
def test_transported_noise_is_the_mixture(name):
    """W2 of 1000 transported against 1000 drawn points: below 0.2, where shifting the data by 0.3 costs over 0.25."""
    mixture = named(name)
    noise = jax.random.normal(jax.random.key(2), (1000, mixture.mean.shape[-1]))
    carried = np.asarray(jax.jit(jax.vmap(lambda a_0: mixture.transport(a_0, 64)))(noise))
    data = draws(mixture, 1000, seed=3)
    assert wasserstein_2(carried, data) < 0.2
    assert wasserstein_2(carried, data + 0.3) > 0.25


def test_transport_converges_at_order_four():
    mixture, a_0 = named("tilted"), jnp.array([0.4, -1.1])
    with jax.enable_x64(True):
        mixture = jax.tree.map(lambda leaf: leaf.astype(jnp.float64), mixture)
        paths = [mixture.transport(a_0.astype(jnp.float64), steps) for steps in (64, 128, 2048)]
    coarse, fine = (abs(np.asarray(path) - np.asarray(paths[-1])).max() for path in paths[:2])
    assert coarse < 1e-3
    assert 10 < coarse / fine < 25


@pytest.mark.parametrize("name", MIXTURES)
def test_density_integrates_to_one(name):
    mixture = named(name)
    ticks = np.linspace(-1.5, 1.5, 401, dtype=np.float32)
    act = mixture.mean.shape[-1]
    grid = np.stack(np.meshgrid(*[ticks] * act), axis=-1).reshape(-1, act)
    density = np.exp(jax.jit(jax.vmap(mixture.log_density))(grid))
    assert density.sum() * (ticks[1] - ticks[0]) ** act == pytest.approx(1, abs=1e-3)


def test_marginals_run_from_the_normal_to_the_mixture():
    mixture, z = named("eight_gaussians"), jnp.array([0.66, 0.05])
    normal = -0.5 * z @ z - jnp.log(2 * jnp.pi)
    np.testing.assert_allclose(mixture.log_marginal_density(z, jnp.array(0.0)), normal, rtol=1e-5)
    np.testing.assert_allclose(mixture.log_marginal_density(z, jnp.array(1.0)), mixture.log_density(z), rtol=1e-6)
    assert mixture.responsibilities(z, jnp.array(0.5)).sum() == pytest.approx(1, abs=1e-6)


def test_vmap_equals_loop():
    mixture = named("tilted")
    points = jax.random.normal(jax.random.key(0), (7, 2))
    times = jnp.linspace(0, 1, 7)
    for function in (mixture.velocity, mixture.log_marginal_density):
        looped = jnp.stack([function(points[i], times[i]) for i in range(7)])
        np.testing.assert_allclose(jax.vmap(function)(points, times), looped, rtol=1e-5, atol=1e-6)


def test_samples_have_the_moments_of_the_mixture():
    mixture, mean, cov, weight = random_mixture(5, 3, 2)
    sample = draws(mixture, 100_000, seed=4)
    centre = weight @ mean
    spread = np.einsum("k,kij->ij", weight, cov + np.einsum("ki,kj->kij", mean - centre, mean - centre))
    np.testing.assert_allclose(sample.mean(axis=0), centre, atol=0.02)
    np.testing.assert_allclose(np.cov(sample.T), spread, atol=0.02)
    np.testing.assert_allclose(mixture.cov, cov, atol=1e-6)


@pytest.mark.parametrize(
    ("cov", "weight", "message"),
    [
        ([[1.0, 2.0], [2.0, 1.0]], [1.0], "positive definite"),
        ([[1.0, 0.5], [0.0, 1.0]], [1.0], "symmetric"),
        ([[1.0, 0.0], [0.0, 0.0]], [1.0], "positive definite"),
        ([[1.0, 0.0], [0.0, 1.0]], [0.0], "weights"),
    ],
)
def test_impossible_mixtures_are_refused(cov, weight, message):
    with pytest.raises(DatasetError, match=message):
        Mixture.build(np.zeros((1, 2)), np.array([cov]), np.array(weight))


@pytest.mark.parametrize("name", MIXTURES)
def test_named_mixtures_live_inside_the_action_box(name):
    mixture = named(name)
    reach = abs(mixture.mean) + 4 * jnp.sqrt(jnp.diagonal(mixture.cov, axis1=1, axis2=2))
    assert reach.max() <= 1


@pytest.mark.parametrize("name", TOYS)
def test_toy_datasets_are_one_step_problems(name):
    problem = toy(name)
    train, val = make_toy(name, rows=500, seed=0)
    assert (train.size, val.size) == (500, 50)
    assert train.x.shape == (501, 1)
    assert train.act == (1 if name.endswith("_1d") else 2)
    assert (train.provenance.kind, train.provenance.name, train.provenance.seed) == ("toy", name, 0)
    batch = jax.vmap(train.transition)(jnp.arange(train.size))
    assert not batch.mask.any()
    np.testing.assert_allclose(batch.r, jax.vmap(problem.reward_at)(batch.x, batch.a), atol=1e-6)
    assert (abs(batch.a) < ACTION_LIMIT).mean() > 0.999
    assert 0.01 < (batch.r > 0.6).mean() < 0.5, "some data is paid well, most is not"
    assert bool((batch.x != 0).all()) == bool(problem.turn)


def test_toy_datasets_follow_the_seed():
    train, val = make_toy("rings", rows=50, seed=0)
    same, _ = make_toy("rings", rows=50, seed=0)
    other, _ = make_toy("rings", rows=50, seed=1)
    np.testing.assert_array_equal(train.a, same.a)
    assert not np.allclose(train.a, other.a)
    assert not np.isin(val.a[:-1], train.a).any()


def test_turning_toy_turns_data_reward_and_field_together():
    problem = toy("eight_gaussians_turning")
    x, a = jnp.array([0.25]), jnp.array([0.6, 0.1])
    turned = jnp.stack([a[0] - a[1], a[0] + a[1]]) / jnp.sqrt(2)  # by π/4
    here, base = problem.mixture_at(x), named("eight_gaussians")
    np.testing.assert_allclose(problem.reward_at(x, turned), problem.reward(a), rtol=1e-5)
    np.testing.assert_allclose(here.log_density(turned), base.log_density(a), rtol=1e-4)
    u = base.velocity(a, jnp.array(0.6))
    expected = jnp.stack([u[0] - u[1], u[0] + u[1]]) / jnp.sqrt(2)
    np.testing.assert_allclose(here.velocity(turned, jnp.array(0.6)), expected, rtol=1e-4, atol=1e-5)


def test_turned_mixture_turns_its_covariances():
    mixture, quarter = named("tilted"), np.array([[0.0, -1.0], [1.0, 0.0]])
    turned = mixture.turned(jnp.array(jnp.pi / 2))
    np.testing.assert_allclose(turned.mean, mixture.mean @ quarter.T, atol=1e-6)
    np.testing.assert_allclose(turned.cov, quarter @ mixture.cov @ quarter.T, atol=1e-7)


def test_shapes_lie_where_they_say():
    radius = np.linalg.norm(draws(Rings(), 2000, seed=0), axis=-1)
    assert abs(radius[:, None] - np.array([0.35, 0.8])).min(axis=1).max() < 0.2
    assert 0.45 < (radius > 0.6).mean() < 0.55
    moons = draws(toy("two_moons").behaviour, 2000, seed=0)
    to_upper = abs(np.linalg.norm(moons + np.array([0.275, 0.1375]), axis=-1) - 0.55)
    to_lower = abs(np.linalg.norm(moons - np.array([0.275, 0.1375]), axis=-1) - 0.55)
    assert np.minimum(to_upper, to_lower).max() < 0.2
    assert 0.45 < (to_upper < to_lower).mean() < 0.55


def test_mistakes_are_named():
    with pytest.raises(UnknownNameError, match="did you mean eight_gaussians"):
        make_toy("eight_gausians", rows=10, seed=0)
    with pytest.raises(DatasetError, match="rows=0"):
        make_toy("rings", rows=0, seed=0)
    with pytest.raises(DatasetError, match="Rings has no exact velocity"):
        toy("rings").mixture_at(jnp.zeros(1))
