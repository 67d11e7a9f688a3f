"""The study of any step count: an exact shortcut has no error in it, and its figure shows what the table says."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from tests.unit.test_flow import growth
from workbench.data.toy import Mixture
from workbench.plots.any_steps import any_steps
from workbench.plots.style import save_figure
from workbench.studies.any_steps import COUNTS, FINE, SMOKE, _measured

RATE = -0.8


@pytest.fixture
def table() -> pd.DataFrame:
    rows = []
    for splits, seed, m in ((s, i, m) for s in ("dyadic", "any") for i in (0, 1) for m in COUNTS):
        where = {"splits": splits, "seed": seed, "step": 6000, "m_inf": m, "flow_matching": 0.1, "w2_floor": 0.07}
        rows.append(where | {"error": 0.1 * m, "self_consistency": 0.01 * (m + seed), "w2": 0.1 + 0.01 * seed})
    return pd.DataFrame(rows)


def test_a_shortcut_that_follows_the_path_has_no_error_in_any_number_of_steps() -> None:
    size = dataclasses.replace(SMOKE, samples=5)
    a_0 = 0.5 * jax.random.normal(jax.random.key(0), (8, 2))
    path = a_0 * np.exp(RATE * np.arange(FINE + 1) / FINE)[:, None, None]
    draws = np.asarray(jnp.clip(path[-1, :5], -1, 1))
    target = Mixture.build(np.zeros((1, 2)), np.eye(2)[None])
    exact = pd.DataFrame(_measured(growth(RATE), target, path, draws, 4, size))
    assert exact["m_inf"].tolist() == list(COUNTS)
    assert exact[["error", "self_consistency"]].to_numpy().max() < 1e-5
    assert exact["w2"].to_numpy().max() < 1e-5
    # s(z, t, 1/4) = z (e^(RATE/4) - 1) 4 against u_t(z) = z (2t - 1) / (t² + (1 - t)²), by hand
    z = np.asarray(path)[:: FINE // 4][:4]
    t = np.arange(4)[:, None, None] / 4
    off = z * (4 * np.expm1(RATE / 4) - (2 * t - 1) / (t**2 + (1 - t) ** 2))
    np.testing.assert_allclose(exact["flow_matching"], np.sqrt((off**2).sum(axis=2).mean()), rtol=1e-4)


def test_lines_are_means_and_bands_ranges_and_hollow_what_was_not_trained(table, tmp_path) -> None:
    figure = any_steps(table)
    for axes, column, hollow in zip(figure.axes, ("error", "self_consistency", "w2"), (4, 5, 4), strict=True):
        lines = [line for line in axes.lines if len(np.asarray(line.get_xdata())) == len(COUNTS)]
        means = table.groupby(["splits", "m_inf"])[column].mean()
        for line, splits in zip(lines, ("dyadic", "any"), strict=True):
            np.testing.assert_allclose(np.asarray(line.get_ydata()), means[splits])
        assert [len(np.asarray(line.get_xdata())) for line in axes.lines].count(hollow) == 1
    first, second = (save_figure(any_steps(table), tmp_path / name)[1].read_bytes() for name in ("a", "b"))
    assert first == second
