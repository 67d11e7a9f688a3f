"""Errors of a sampler on any data: closed forms of linear shortcuts, and agreement with the exact terms on mixtures."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.unit.problems import random_data
from workbench.data.toy import toy
from workbench.errors import WorkbenchError
from workbench.nets import ShortcutActor
from workbench.theory import flow_matching_profile, measure, self_consistency_grid, step_gap, straightness
from workbench.theory.dyadic import on_grid

ROWS = 50
X = jnp.zeros((ROWS, 1))
A_0 = jax.random.normal(jax.random.key(0), (ROWS, 2))
A_1 = jax.random.uniform(jax.random.key(1), (ROWS, 2), minval=-1.0)
NET = ShortcutActor(1, 2, width=16, depth=2, key=jax.random.key(2))


def growth(rate: float):
    """The exact shortcut of da/dt = rate · a."""
    return lambda a_t, t, h, x: a_t * jnp.expm1(rate * h) / h


def velocity(rate: float):
    """The instantaneous velocity of the same equation, whatever h."""
    return lambda a_t, t, h, x: rate * a_t


def rms(v) -> float:
    return float(np.sqrt((np.asarray(v) ** 2).sum(axis=-1).mean()))


def test_exact_shortcut_is_self_consistent():
    grid = self_consistency_grid(growth(-1.5), X, A_0, A_1, m_disc=8)
    assert np.nanmax(grid) < 1e-5
    np.testing.assert_array_equal(np.isfinite(grid), on_grid(8)[:-1])


def test_velocity_used_as_a_shortcut_has_the_residual_of_the_closed_form():
    """r a - ½ [r a + r (1 + h r) a] = -½ h r² a, with h the half step."""
    rate, m_disc = -1.5, 8
    grid = self_consistency_grid(velocity(rate), X, A_0, A_1, m_disc=m_disc)
    for i in range(3):
        for k in range(0, m_disc, m_disc >> i):
            t, h = k / m_disc, 0.5 / 2**i
            assert grid[i, k] == pytest.approx(h * rate**2 / 2 * rms((1 - t) * A_0 + t * A_1), rel=1e-4)


def test_grid_is_the_root_mean_square_of_its_rows():
    rows = [self_consistency_grid(NET, X[:1], A_0[i, None], A_1[i, None], m_disc=4) for i in range(ROWS)]
    together = self_consistency_grid(NET, X, A_0, A_1, m_disc=4)
    np.testing.assert_allclose(together, np.sqrt(np.mean(np.square(rows), axis=0)), rtol=1e-4)


def test_mixture_report_and_data_measurements_agree():
    """Carried along the flow or interpolated to drawn data, samples at time t follow one law: within 5 %."""
    mixture, rows = toy("tilted").mixture_at(jnp.zeros(1)), 4000
    report = measure(NET, mixture, jnp.zeros(1), m_disc=4, samples=1000, key=jax.random.key(0))
    x, a_0 = jnp.zeros((rows, 1)), jax.random.normal(jax.random.key(5), (rows, 2))
    a_1 = jax.vmap(lambda key: mixture.sample(key=key))(jax.random.split(jax.random.key(6), rows))
    np.testing.assert_allclose(self_consistency_grid(NET, x, a_0, a_1, m_disc=4), report.eps_sc, rtol=0.05)

    def without_variance(s):
        return flow_matching_profile(s, x, a_0, a_1, m_disc=4) ** 2

    excess = without_variance(NET) - without_variance(lambda a_t, t, h, x: mixture.velocity(a_t, t))
    np.testing.assert_allclose(excess, report.eps_fm**2, rtol=0.1)


def test_flow_matching_error_of_a_constant():
    profile = flow_matching_profile(lambda a_t, t, h, x: jnp.array([0.5, -1.0]), X, A_0, A_1, m_disc=8)
    np.testing.assert_allclose(profile, rms(A_1 - A_0 - jnp.array([0.5, -1.0])), rtol=1e-5)


def test_flow_matching_error_asks_for_the_finest_step_at_every_time():
    profile = flow_matching_profile(lambda a_t, t, h, x: jnp.stack([8 * h, t]), X, 0 * A_0, 0 * A_1, m_disc=8)
    np.testing.assert_allclose(profile, np.sqrt(1 + (np.arange(8) / 8) ** 2), rtol=1e-6)


def test_straightness_of_known_paths():
    assert straightness(lambda a_t, t, h, x: jnp.ones(2), X, A_0, m=8).max() < 1e-10
    assert straightness(NET, X, A_0, m=1).max() < 1e-10
    # Velocities r a and r a (1 + r/2): each is r² a / 4 away from their mean.
    bend = straightness(velocity(-1.5), X, A_0, m=2)
    np.testing.assert_allclose(bend, (1.5**2 / 4) ** 2 * (A_0**2).sum(axis=-1), rtol=1e-4)


def test_step_gap_of_known_samplers():
    gaps = step_gap(velocity(-1.0), X, 0.5 * A_0, m_inf=(1, 3, 8), m_disc=8)
    ends = [(1 - 1 / m) ** m for m in (1, 3, 8)]
    for gap, end in zip(gaps, ends, strict=True):
        a, b = (np.clip(0.5 * A_0 * each, -1, 1) for each in (end, ends[-1]))
        np.testing.assert_allclose(gap, np.linalg.norm(a - b, axis=-1), atol=1e-6)
    assert step_gap(growth(-1.0), X, A_0, m_inf=(1, 2, 5), m_disc=8).max() < 1e-5
    assert step_gap(velocity(50.0), X, A_0, m_inf=(2,), m_disc=8).max() == 0, "clipped as when acting"


def test_everything_measures_an_actor_on_a_dataset():
    data = random_data()
    batch = data.sample(32, key=jax.random.key(0))
    actor = ShortcutActor(data.obs, data.act, width=16, depth=2, key=jax.random.key(1))
    a_0 = jax.random.normal(jax.random.key(2), batch.a.shape)
    assert flow_matching_profile(actor, batch.x, a_0, batch.a, m_disc=8).shape == (8,)
    assert self_consistency_grid(actor, batch.x, a_0, batch.a, m_disc=8).shape == (3, 8)
    for i in (0, 31):
        together, alone = slice(None), slice(i, i + 1)
        for f in (
            lambda rows: straightness(actor, batch.x[rows], a_0[rows], m=8),
            lambda rows: step_gap(actor, batch.x[rows], a_0[rows], m_inf=(1, 2), m_disc=8).T,
        ):
            np.testing.assert_allclose(f(together)[i], f(alone)[0], rtol=1e-3, atol=1e-6)
    with pytest.raises(WorkbenchError, match="m_disc=5"):
        self_consistency_grid(actor, batch.x, a_0, batch.a, m_disc=5)
