"""What the bound is made of: the dyadic intervals, the exact path, and errors carried to the end."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.unit.theory_models import X, gaussian, random_mixture, random_network
from workbench.data.toy import toy
from workbench.theory import dyadic
from workbench.theory.along import along, chain, exact_path, push
from workbench.theory.bound import FLOW_STEPS

M_DISC = 8

along_jit = eqx.filter_jit(along)


@pytest.mark.parametrize("m", [1, 2, 8])
def test_errors_carried_to_the_end_lead_from_the_exact_end_to_the_sampled_one(m):
    """By hand: the chain's first point, its length, and the errors of the last step, which nothing carries on."""
    s, mixture, a_0 = random_network(1, 2.0), random_mixture(3), jnp.array([0.7, -1.2])
    found = along_jit(s, mixture, X, a_0, m_disc=M_DISC, fine=FLOW_STEPS)
    order, terms = chain(m, M_DISC)
    assert [(terms == term).sum() for term in range(3)] == [M_DISC, M_DISC, M_DISC - m]
    assert len(order) == len(terms) + 1

    points = [a_0]
    for j in range(m):
        points.append(points[-1] + s(points[-1], jnp.asarray(j / m), jnp.asarray(1 / m), X) / m)
    level = m.bit_length() - 1
    np.testing.assert_allclose(found.ends[level], points[-1], rtol=1e-4)
    carried = push(s, points[1][None], np.array([M_DISC // m]), X, m, M_DISC)[0]
    np.testing.assert_allclose(carried, points[-1], rtol=1e-4)

    shifts = found.arrivals[level]
    assert jnp.linalg.norm(points[-1] - found.target) <= jnp.sqrt(shifts).sum() + 1e-4
    z = exact_path(mixture, a_0, FLOW_STEPS)[:: FLOW_STEPS // M_DISC]
    missed = z[-2] + mixture.velocity(z[-2], jnp.asarray(1 - 1 / M_DISC)) / M_DISC - z[-1]
    np.testing.assert_allclose(shifts[-1], (missed**2).sum(), rtol=1e-3)
    np.testing.assert_allclose(shifts[-2], found.flow_matching[-1] / M_DISC**2, rtol=1e-3)
    if m < M_DISC:
        last = 2 * m - 2
        shift = shifts[list(order).index(last)]
        np.testing.assert_allclose(shift, found.self_consistency[last] / m**2, rtol=1e-2)


def test_points_are_carried_by_what_remains_of_their_intervals():
    """From 3/8 with two steps: 3/8 → 4/8 → 8/8; from 1/8: 1/8 → 2/8 → 4/8 → 8/8; from 1 nowhere."""

    def s(a_t, t, h, x):
        return jnp.stack([jnp.ones_like(t), h, a_t[2] * 0 + 1 / h])

    z = jnp.zeros((4, 3))
    moved = push(s, z, np.array([3, 1, 8, 4]), X, 2, 8)
    lengths = [[1, 4], [1, 2, 4], [], [4]]
    expected = [[sum(each) / 8, sum(size**2 for size in each) / 64, len(each)] for each in lengths]
    np.testing.assert_allclose(moved, expected)


def test_vmap_equals_loop():
    mixture, a_0 = random_mixture(0), jax.random.normal(jax.random.key(0), (3, 2))
    s = random_network(0)

    def one(a_0):
        return along_jit(s, mixture, X, a_0, m_disc=M_DISC, fine=FLOW_STEPS)

    batched = jax.vmap(one)(a_0)
    for i in range(3):
        row = jax.tree.map(lambda leaf, i=i: leaf[i], batched)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-3, atol=1e-5), row, one(a_0[i]))


def test_exact_path_of_a_gaussian_is_the_closed_form():
    a_0, t = jnp.array([1.3, -0.4]), np.linspace(0, 1, FLOW_STEPS + 1)[:, None]
    expected = t * np.array([0.4, -0.2]) + np.sqrt((1 - t) ** 2 + (0.3 * t) ** 2) * np.asarray(a_0)
    np.testing.assert_allclose(exact_path(gaussian(), a_0, FLOW_STEPS), expected, atol=1e-5)


@pytest.mark.parametrize("name", ["eight_gaussians", "grid"])
def test_exact_path_is_exact_between_sharp_modes(name):
    """Single precision at the default step against double precision at an eighth of it."""
    mixture, a_0 = toy(name).mixture_at(X), jax.random.normal(jax.random.key(0), (500, 2))

    @eqx.filter_jit
    def ends(mixture, a_0, steps):
        return jax.vmap(lambda a_0: exact_path(mixture, a_0, steps)[-1])(a_0)

    with jax.enable_x64(True):
        wide = jax.tree.map(lambda leaf: leaf.astype(jnp.float64), mixture)
        reference = np.asarray(ends(wide, a_0.astype(jnp.float64), 8 * FLOW_STEPS))
    gap = np.linalg.norm(ends(mixture, a_0, FLOW_STEPS) - reference, axis=-1)
    assert np.sqrt((gap**2).mean()) < 1e-4


def test_intervals_are_a_heap():
    start, size = dyadic.intervals(4)
    assert list(zip(start, size, strict=True)) == [(0, 4), (0, 2), (2, 2), (0, 1), (1, 1), (2, 1), (3, 1)]
    assert dyadic.preorder(1, 4) == [0, 1, 3, 4, 2, 5, 6]
    assert dyadic.preorder(2, 4) == [1, 3, 4, 2, 5, 6]
    grid = np.asarray(dyadic.as_grid(jnp.arange(7.0), 4))
    nan = np.nan
    np.testing.assert_array_equal(grid, [[0, nan, nan, nan], [1, nan, 2, nan], [3, 4, 5, 6]])
    np.testing.assert_array_equal(dyadic.as_grid(jnp.arange(3.0), 4), grid[:2])
