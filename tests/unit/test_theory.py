"""The three-term bound: closed forms of one Gaussian, models with known errors, and the inequality on random ones."""

import json
import math
import warnings

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.theory_models import Field, Flow, Levels, X, gaussian, random_mixture, random_network, run
from workbench.data.toy import toy
from workbench.errors import WorkbenchError
from workbench.theory import W2Report, prefactor, wasserstein_2

ROUNDING = 1e-4


def assert_bounds_hold(report: W2Report) -> None:
    slack = ROUNDING + 1e-4 * report.coupled
    assert (report.coupled <= report.bound_worst + slack).all()
    assert (report.coupled <= report.bound_measured + slack).all()
    assert (report.w2 <= report.coupled + report.w2_floor + slack).all()


def test_exact_velocity_of_a_gaussian_has_the_terms_of_the_closed_form():
    """With c² = (1 - t)² + t² σ² and g = c'/c: u_t = μ + g (z - tμ), Z_t = tμ + c a_0, d/dt u_t(Z_t) = σ²/c³ a_0.

    Euler steps multiply Z_t - tμ by 1 + hg, so W2 is √2 times how far the product of these is from σ.
    """
    sd, m_disc = 0.3, 4
    report = run(Field(gaussian(sd=sd), jnp.zeros(2)), gaussian(sd=sd), m_disc)

    def c(t):
        return np.sqrt((1 - t) ** 2 + t**2 * sd**2)

    def g(t):
        return (t * sd**2 - (1 - t)) / c(t) ** 2

    assert report.flow_matching < 1e-5
    noise = report.acceleration[0] / sd**2  # root mean square of |a_0|
    assert noise == pytest.approx(math.sqrt(2), rel=0.05)
    np.testing.assert_allclose(report.acceleration, noise * sd**2 / c(report.t_fine) ** 3, rtol=1e-3)
    assert report.discretisation == pytest.approx(noise * (1 + sd**2) ** 1.5 / sd / (2 * m_disc), rel=1e-2)
    for i, m in enumerate(report.m):
        times, h = np.arange(m) / m, 1 / m
        np.testing.assert_allclose(report.lipschitz[i, :: m_disc // m], abs(g(times)), rtol=2e-3)
        if m < m_disc:
            residual = c(times) * (g(times) - g(times + h / 2) * (1 + h / 2 * g(times))) / 2
            np.testing.assert_allclose(report.eps_sc[i, :: m_disc // m], noise * abs(residual), rtol=1e-3)
        missed = abs(np.prod(1 + h * g(times)) - sd)
        assert report.coupled[i] == pytest.approx(noise * missed, rel=1e-3)
        assert abs(report.w2[i] - math.sqrt(2) * missed) < report.w2_floor
    assert_bounds_hold(report)


def test_exact_shortcut_lands_on_the_data_in_any_number_of_steps():
    mixture = gaussian()
    report = run(Flow(mixture, jnp.zeros(2)), mixture)
    assert report.coupled.max() < 1e-4
    assert report.self_consistency.max() < 1e-4
    np.testing.assert_allclose(report.w2, report.w2_floor, atol=1e-3)
    assert report.flow_matching == pytest.approx(report.discretisation, rel=0.5), "a mean velocity is not u_t"
    assert_bounds_hold(report)


def test_model_without_training_error_keeps_its_discretisation_at_every_step_count():
    mixture = toy("tilted").mixture_at(X)
    report = run(Levels(mixture, 8), mixture, 8)
    assert report.flow_matching < 1e-3
    assert report.self_consistency.max() < 1e-3
    np.testing.assert_allclose(report.coupled, report.coupled[-1], rtol=1e-3)
    assert report.coupled[-1] > 0.05
    np.testing.assert_allclose(report.arrived[:, 1], report.bound_measured, rtol=0.01)
    assert_bounds_hold(report)


@settings(max_examples=25)
@given(seed=st.integers(0, 2**31), factor=st.floats(0, 8))
def test_bounds_hold_for_random_networks(seed, factor):
    assert_bounds_hold(run(random_network(seed, factor), random_mixture(seed), seed=seed))


@settings(max_examples=15)
@given(seed=st.integers(0, 2**31), size=st.floats(0, 5), angle=st.floats(0, 2 * math.pi))
def test_bounds_hold_for_injected_errors_which_are_found(seed, size, angle):
    error = size * jnp.array([math.cos(angle), math.sin(angle)])
    mixture = random_mixture(seed)
    report = run(Field(mixture, error), mixture, seed=seed)
    np.testing.assert_allclose(report.eps_fm, size, rtol=1e-3, atol=1e-4)
    assert_bounds_hold(report)


def test_larger_errors_cost_more():
    mixture = gaussian()
    reports = [run(Flow(mixture, size * jnp.array([1.0, 0.5])), mixture) for size in (0.0, 0.3, 0.6, 1.2)]
    for name in ("w2", "coupled", "bound_measured", "bound_worst"):
        values = np.array([getattr(report, name) for report in reports])
        assert (np.diff(values, axis=0) > 0).all(), name
    for report in reports[1:]:
        assert (np.diff(report.self_consistency) < 0).all(), "the fewer the steps, the more levels"
        assert (np.diff(report.arrived[:, 2]) < 0).all()
        assert_bounds_hold(report)


@settings(max_examples=8, deadline=None)
@given(st.floats(0.05, 1.0))
def test_more_steps_of_the_exact_velocity_of_a_gaussian_come_closer(sd):
    """|Π (1 + h g) - σ| of the closed form above falls with every doubling of M, for any σ."""
    report = run(Field(gaussian((0.2,), sd), jnp.zeros(1)), gaussian((0.2,), sd), 8)
    assert (np.diff(report.coupled) < 0).all()
    assert_bounds_hold(report)


def test_slopes_off_the_data_count():
    """A model flat where the flow goes but steep where its own errors lead: slopes on p_t alone would be no bound."""
    mixture = gaussian((0.0,), 0.5)

    def s(a_t, t, h, x):
        return mixture.velocity(a_t, t) + jnp.where(t == 0, 30.0, 0.0) + 100 * jax.nn.relu(a_t - 8)

    report = run(s, mixture, m_disc=2)
    on_data = 1.2  # |u'| at t = 1/2, above that at 0; no draw of p_t lies beyond 8
    assert report.coupled[-1] > 2 * (prefactor(on_data, report.m) * report.terms)[-1]
    assert report.worst_lipschitz > 20
    assert_bounds_hold(report)


def test_new_weights_do_not_trace_again():
    traces = 0

    class Counted(eqx.Module):
        error: jax.Array

        def __call__(self, a_t, t, h, x):
            nonlocal traces
            traces += 1
            return self.error - a_t

    run(Counted(jnp.zeros(2)), random_mixture(0), m_disc=2)
    before = traces
    run(Counted(jnp.ones(2)), random_mixture(1), m_disc=2)
    assert traces == before > 0


def test_table_is_the_report_row_by_row():
    mixture = gaussian()
    report = run(Field(mixture, jnp.ones(2)), mixture)
    rows = report.table()
    json.dumps(rows)
    assert [row["M"] for row in rows] == [1, 2, 4]
    for row in rows:
        terms = row["flow_matching"] + row["discretisation"] + row["self_consistency"]
        ends = row["flow_matching_end"] + row["discretisation_end"] + row["self_consistency_end"]
        assert row["bound_worst"] == pytest.approx(row["prefactor_worst"] * terms)
        assert row["bound_measured"] == pytest.approx(row["amplification"] * terms)
        assert row["bound_measured"] == pytest.approx(ends)
        assert row["n"] == 300
    assert rows[-1]["self_consistency"] == 0


def test_prefactor_from_flat_to_vacuous():
    m = np.array([1, 2, 8])
    np.testing.assert_array_equal(prefactor(0.0, m), 1.0)
    np.testing.assert_allclose(prefactor(1e-9, m), 1.0, rtol=1e-8)
    np.testing.assert_allclose(prefactor(2.0, m), (math.exp(2) - 1) / 2 * np.exp(1 / m), rtol=1e-12)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(prefactor(400.0, m)).all()
        assert np.isinf(prefactor(5000.0, m)).all()


def test_wasserstein_of_known_samples():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(60, 2))
    assert wasserstein_2(a, a[rng.permutation(60)]) == pytest.approx(0, abs=1e-6)
    assert wasserstein_2(a, a + np.array([3.0, -4.0])) == pytest.approx(5)
    assert wasserstein_2(np.zeros((2, 1)), np.array([[1.0], [1.0], [2.0], [2.0]])) == pytest.approx(math.sqrt(2.5))


def test_mistakes_are_named():
    s, mixture = Field(gaussian(), jnp.zeros(2)), gaussian()
    with pytest.raises(WorkbenchError, match="m_disc=6"):
        run(s, mixture, m_disc=6)
    with pytest.raises(WorkbenchError, match="samples=0"):
        run(s, mixture, samples=0)
    with pytest.raises(WorkbenchError, match="diverged"):
        run(Field(mixture, jnp.full(2, jnp.nan)), mixture)
