"""The mixture study at smoke size: its tables are whole, agree with each other, and obey the bound."""

import numpy as np
import pandas as pd
import pytest

from workbench.studies.mixture import EXACT, SMOKE, mixture
from workbench.studies.registry import STUDIES

ROUNDING = 1e-4
M = (1, 2, 4)


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    return mixture(smoke=True)


def test_makes_the_tables_it_is_registered_for(tables):
    assert set(tables) == set(STUDIES["mixture"].tables)
    for name, table in tables.items():
        assert list(table.columns[:3]) == ["seed", "step", "lr"], name
        assert np.isfinite(table.to_numpy(float)).all(), name


def test_no_row_breaks_the_bound(tables):
    """Two samplers coupled by their noise, and the triangle inequality of W2, for every seed, moment and M."""
    bound = tables["mixture_bound"]
    assert len(bound) == len(SMOKE.seeds) * len(SMOKE.steps) * len(M)
    assert (bound["coupled"] <= bound["bound_measured"] + ROUNDING).all()
    assert (bound["coupled"] <= bound["bound_worst"] + ROUNDING).all()
    assert (bound["w2"] <= bound["coupled"] + bound["w2_floor"] + ROUNDING).all()
    terms = bound[["flow_matching_end", "discretisation_end", "self_consistency_end"]]
    np.testing.assert_allclose(terms.sum(axis=1), bound["bound_measured"], rtol=1e-5)


def test_training_brings_the_policy_nearer_to_the_data(tables):
    bound = tables["mixture_bound"].set_index(["seed", "step", "m_inf"])
    before, after = (bound.xs(step, level="step") for step in (SMOKE.steps[0], SMOKE.steps[-1]))
    assert (after["w2"] < before["w2"]).all()
    assert (after["flow_matching"] < before["flow_matching"]).all()


def test_every_dyadic_step_has_its_error(tables):
    grid = tables["mixture_self_consistency"]
    for _, one in grid.groupby(["seed", "step"]):
        assert set(zip(one["two_h"], one["t"], strict=True)) == {(1.0, 0.0), (0.5, 0.0), (0.5, 0.5)}
    assert (grid["error"] > 0).all()


def test_flow_matching_error_has_the_part_no_model_removes(tables):
    errors = tables["mixture_flow_matching"]
    assert (errors["error"] > errors["error_exact"]).all()


def test_the_finest_sampler_has_no_gap_and_one_step_no_bend(tables):
    sampler = tables["mixture_sampler"].set_index("m_inf")
    assert (sampler.loc[M[-1], "gap"] == 0).all()
    assert (sampler.loc[1, "gap"] > 0).all()
    np.testing.assert_allclose(sampler.loc[1, "straightness"], 0, atol=1e-9)


def test_paths_share_their_noise_and_end_in_the_samples(tables):
    paths, samples = (tables[name].set_index("m_inf") for name in ("mixture_paths", "mixture_samples"))
    position = ["a_1", "a_2"]
    first = paths.loc[EXACT].query("t == 0")[position].to_numpy()
    assert len(first) == SMOKE.paths
    for m in M:
        own = paths.loc[m]
        np.testing.assert_array_equal(own["t"].to_numpy()[: m + 1], np.arange(m + 1) / m)
        np.testing.assert_array_equal(own.query("t == 0")[position], first)
        np.testing.assert_array_equal(own.query("t == 1")[position], samples.loc[m][position][: SMOKE.paths])
    assert abs(samples[position].to_numpy()).max() <= 1


def test_the_exact_flow_ends_on_the_modes(tables):
    paths = tables["mixture_paths"].query("m_inf == @EXACT and t == 1")
    radius = np.linalg.norm(paths[["a_1", "a_2"]], axis=-1)
    np.testing.assert_allclose(radius, 0.7, atol=5 * 0.06)


def test_the_same_study_twice_is_the_same(tables):
    again = mixture(smoke=True)
    for name, table in tables.items():
        pd.testing.assert_frame_equal(table, again[name])
