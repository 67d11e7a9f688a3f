"""The study and the figure of all agents on one mixture, for two of them at smoke size."""

import numpy as np
import pandas as pd
import pytest

from workbench.agents.presets import PRESETS
from workbench.plots.agents import agents_on_a_mixture
from workbench.plots.scaling import M_INF, N
from workbench.studies import agents_mixture as study
from workbench.studies.registry import STUDIES

TWO = {name: PRESETS[name] for name in ("bc", "sorl")}


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(study, "PRESETS", TWO)
        return study.agents_mixture(smoke=True)


def test_makes_the_tables_it_is_registered_for(tables):
    assert set(tables) == set(STUDIES["agents_mixture"].tables)
    scores, samples = tables["agents_mixture"], tables["agents_mixture_samples"]
    assert scores.groupby(["agent", "m_inf"]).size().to_dict() == {
        ("data", 0): 1,
        ("bc", 1): 2,
        ("sorl", 2): 2,
        ("sorl", 8): 2,
    }
    assert samples.groupby(["agent", "m_inf"]).size().min() == study.SMOKE.shown
    assert samples[["a_1", "a_2"]].abs().to_numpy().max() <= 1


def test_the_data_score_what_the_mixture_says(tables):
    """One of eight modes is rewarded and 1 % of the mass is in no mode, within four standard errors of 31 rows."""
    data = tables["agents_mixture"].set_index("agent").loc["data"]
    rows = study.SMOKE.rows // 10
    assert abs(data["rewarded"] - 0.99 / 8) < 4 * np.sqrt(0.11 / rows)
    assert data["outside"] < 0.01 + 4 * np.sqrt(0.01 / rows)


def test_a_panel_an_agent_and_sorl_in_the_steps_that_its_q_loss_reaches(tables):
    figure = agents_on_a_mixture(*(tables[name] for name in STUDIES["agents_mixture"].tables))
    titles = [axes.get_title().split("\n")[0] for axes in figure.axes if axes.axison]
    assert titles == ["data", "BC", "SORL (2, 1)"]
    assert f"({M_INF}, {N}; if not 1, 1)" in figure.get_suptitle()
    assert "means [ranges] of 2 seeds" in figure.get_suptitle()
