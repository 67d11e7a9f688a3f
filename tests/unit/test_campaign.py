"""Studies on a real task: the runs they ask for, and the tables they make of them."""

import pandas as pd
import pytest

from workbench.errors import DivergedError
from workbench.studies import campaign
from workbench.studies.campaign import SMOKE


@pytest.fixture
def small_data(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("WORKBENCH_RUNS", str(tmp_path_factory.mktemp("runs")))
    monkeypatch.setenv("WORKBENCH_DATA", str(tmp_path_factory.getbasetemp() / "campaign-data"))
    yield
    campaign._data.cache_clear()


def test_a_factor_scales_one_weight_and_the_rest_is_the_preset(small_data):
    base = campaign.spec_of(SMOKE, 0)
    changed = campaign.spec_of(SMOKE, 0, factors={"sc": 10.0})
    assert changed.weights == base.weights | {"sc": 10 * base.weights["sc"]}
    assert changed.settings == base.settings
    assert campaign.spec_of(SMOKE, 0, m_btt=8).settings == base.settings | {"m_btt": 8}
    assert campaign.spec_of(SMOKE, 0, m_btt=base.settings["m_btt"]).hash == base.hash, "the preset's run is shared"


def test_a_run_that_diverges_before_its_first_report_is_told_too(small_data, monkeypatch):
    def run(scale, spec, cells):
        if spec.hash != campaign.spec_of(scale, spec.seeds[0]).hash:
            raise DivergedError("at once")

    none = pd.DataFrame(columns=["step", "m_inf", "n", "verifier", "success_timing"])
    monkeypatch.setattr(campaign, "run", run)
    monkeypatch.setattr(campaign, "cells", lambda *_: none)
    tables = campaign.loss_weights(smoke=True)
    lost = tables["loss_weights_diverged"]
    assert lost["step"].tolist() == [0, 0, 0]
    assert len(set(lost["hash"])) == 3
    assert len(tables["loss_weights"]) == 0


@pytest.mark.slow
def test_inference_study_counts_every_episode_and_repeats_nothing(small_data, monkeypatch):
    tables = campaign.inference_compute(smoke=True)
    grid = tables["test_time"]
    assert len(grid) == len(SMOKE.seeds) * len(SMOKE.m_inf) * len(SMOKE.n)
    assert set(grid["episodes"]) == {SMOKE.episodes}
    assert set(grid["step"]) == {SMOKE.steps}
    assert grid["successes"].between(0, SMOKE.episodes).all()
    curve = tables["learning_success"]
    assert sorted(set(curve["step"])) == [2, 4]
    assert set(tables["learning"]["seed"]) == set(SMOKE.seeds)
    monkeypatch.setattr("workbench.experiments.evaluate", None)
    monkeypatch.setattr("workbench.experiments.train_chunk", None)
    pd.testing.assert_frame_equal(campaign.inference_compute(smoke=True)["test_time"], grid)
