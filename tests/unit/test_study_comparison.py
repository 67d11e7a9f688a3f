"""The comparison of all agents on a real task: two of them at smoke size, and the figures of a made-up table."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.lines import Line2D

from workbench import published
from workbench.plots.comparison import agent_profiles, agents_compared, own_budget
from workbench.plots.scaling import M_INF, SYMBOLS, budget
from workbench.stats.estimate import ScoresError
from workbench.store.folder import RunFolder
from workbench.studies import comparison
from workbench.studies.campaign import SMOKE, TASK
from workbench.studies.registry import STUDIES

STEPS = (12_000, 16_000, 20_000)
COUNTS = {"bc": (0, 1, 2), "sorl": (30, 40, 50), "fql": (20, 20, 20)}
"""Successes of three seeds out of 50 at each checkpoint."""


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    with pytest.MonkeyPatch.context() as patch:
        runs = tmp_path_factory.mktemp("runs")
        patch.setenv("WORKBENCH_RUNS", str(runs))
        first = comparison.agents(smoke=True)
        for folder in map(RunFolder, runs.iterdir()):
            evals = folder.evals()
            for other in ({"success_timing": "pre"}, {"m_inf": 99}, {"verifier": "min"}, {"step": 3}):
                folder.add_evals(evals.assign(**other))
        patch.setattr("workbench.sweeps.engine.attempt", lambda *_, **__: pytest.fail("a finished run was repeated"))
        again = comparison.agents(smoke=True)
    pd.testing.assert_frame_equal(first["agents"], again["agents"])
    return first


def test_the_sweep_is_done_once_and_read_into_its_tables(tables):
    assert set(tables) == set(STUDIES["agents"].tables)
    cells, times = tables["agents"], tables["agents_time"]
    rows = [tuple(row) for row in cells[["agent", "seed", "step", "m_inf", "n"]].itertuples(index=False)]
    budgets = {"sorl": (2, 1), "bc": (1, 1)}
    assert sorted(rows) == sorted(
        (agent, seed, step, *budget) for agent, budget in budgets.items() for seed in SMOKE.seeds for step in (2, 4)
    )
    assert set(cells["episodes"]) == {SMOKE.episodes}
    assert times["agent"].tolist() == ["sorl", "bc"]
    assert set(cells.loc[cells["agent"] == "sorl", "w_ql"]) == {10.0}
    assert cells.loc[cells["agent"] == "bc", "w_ql"].isna().to_numpy().all()
    np.testing.assert_allclose(times["minutes"], times["update_ms"] * SMOKE.steps / 60_000)
    assert times["update_ms"].min() > 0


@pytest.fixture
def cells() -> pd.DataFrame:
    rows = [
        {"hash": f"{agent}{seed}", "task": TASK, "agent": agent, "preset": "small", "data": "regenerated"}
        | {"seed": seed, "step": step, "m_inf": 1, "n": 1, "episodes": 50, "successes": count}
        for agent, counts in COUNTS.items()
        for seed, count in enumerate(counts)
        for step in STEPS
    ]
    return pd.DataFrame(rows)


def points(line: Line2D) -> np.ndarray:
    return np.asarray(line.get_xydata(), float).round(2)


def test_the_best_of_ours_is_on_top_beside_what_was_published(cells):
    times = pd.DataFrame({"agent": ["bc", "fql", "sorl"], "minutes": [0.5, 1.0, 4.0]})
    figure = agents_compared(cells, times, published.per_task())
    success, training = figure.axes
    assert [label.get_text() for label in success.get_yticklabels()] == ["SORL", "FQL", "BC"]
    marks = {y: x for line in success.lines if line.get_marker() != "|" for x, y in points(line).tolist()}
    assert [marks[y] for y in (0, 1, 2)] == pytest.approx([80, 40, 2])
    assert [marks[y] for y in (0.75, 1.75)] == [97, 3], "FQL's and BC's published means on task 2"
    assert -0.25 not in marks, "SORL was not published by task"
    assert [points(line).tolist() for line in training.lines] == [[[4.0, 0]], [[1.0, 1]], [[0.5, 2]]]
    assert "mean of the last 3 checkpoints of 50 episodes" in figure.get_suptitle()
    assert "bars: range of the 3 seeds" in figure.get_suptitle()


def test_steps_that_are_not_the_protocols_are_said_to_be_chosen(cells):
    ours = cells["agent"] == "sorl"
    cells = cells.assign(w_ql=cells["agent"].map({"sorl": 10.0}))
    chosen = f"SORL: {SYMBOLS['w_ql']} = 10, {budget(1, 1)}, chosen for these runs: its protocol has {M_INF} = 8."
    assert agent_profiles(cells).get_suptitle().splitlines()[1] == chosen
    by_protocol = cells.assign(m_inf=cells["m_inf"].where(~ours, 8))
    plain = f"SORL: {SYMBOLS['w_ql']} = 10, {budget(8, 1)}."
    assert agent_profiles(by_protocol).get_suptitle().splitlines()[1] == plain
    assert own_budget(cells[~ours]) == ""


def test_profiles_compare_sorl_to_each_other_agent(cells):
    figure = agent_profiles(cells)
    assert [label.get_text() for label in figure.axes[1].get_yticklabels()] == ["BC", "FQL"]
    assert "20,000 updates" in figure.get_suptitle()


def test_a_run_with_fewer_checkpoints_is_refused(cells):
    with pytest.raises(ScoresError, match="fewer than 3 steps"):
        agent_profiles(cells.query("agent != 'bc' or step > 12000"))
