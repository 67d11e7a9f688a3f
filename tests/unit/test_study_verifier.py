"""Studies of the verifier and of actions: returns in closed form, which runs count, and tables of untrained runs."""

from pathlib import Path

import numpy as np
import pytest

from tests.unit.problems import random_data
from workbench.errors import WorkbenchError
from workbench.evaluate.cell import Cell
from workbench.evaluate.rollout import Rollout
from workbench.paths import runs_dir
from workbench.store.folder import RunFolder
from workbench.store.spec import make_spec
from workbench.studies import actions as actions_study
from workbench.studies import verifier as verifier_study
from workbench.studies.base import base_runs
from workbench.studies.campaign import FULL, TASK
from workbench.studies.verifier import horizon, returns_to_go
from workbench.train import init_seeds

CUBE_DATA = random_data(obs=28, act=5)
LIMIT, GAMMA = 5, 0.98
"""Episode limit of a smoke test, and the preset's discount."""


def finished(seed: int, root: Path, *, steps: int = FULL.steps, **changes) -> RunFolder:
    """The folder of a run that is done, without a checkpoint."""
    spec = make_spec(TASK, CUBE_DATA.provenance, preset_name="small", seeds=(seed,), steps=steps, **changes)
    folder = RunFolder.create(root, spec)
    folder.finish({})
    return folder


@pytest.fixture
def run(tmp_path, monkeypatch) -> RunFolder:
    """A run with a fresh state, as if it had been trained, that both studies find."""
    folder = finished(1, tmp_path)
    folder.save(init_seeds(folder.spec.build_agent(), CUBE_DATA.example(), (1,)), FULL.steps)
    for module in (actions_study, verifier_study):
        monkeypatch.setattr(module, "base_runs", lambda smoke: [folder])
    return folder


def test_returns_of_constant_rewards_are_geometric():
    returns = returns_to_go(np.full(7, -1.0), 0.9)
    np.testing.assert_allclose(returns, -(1 - 0.9 ** np.arange(7, 0, -1)) / 0.1)
    np.testing.assert_allclose(returns_to_go(np.array([0.0, 2.0, 1.0]), 0.5), [1.25, 2.5, 1.0])


@pytest.mark.parametrize("gamma", [0.9, 0.98, 0.995])
def test_horizon_is_the_first_that_suffices(gamma):
    assert gamma ** horizon(gamma) <= 0.05 < gamma ** (horizon(gamma) - 1)


def episode_with(success: list[bool]) -> Rollout:
    """An episode whose rewards are -1 until success, both judged before the action."""
    steps = len(success)
    blank = np.zeros((steps + 1, 1))
    values = np.zeros((steps, 1))
    reward = np.array(success, float) - 1
    return Rollout("", "pre", 0, 3, Cell(4, 1), blank, blank, None, values, reward, np.array(success), values[:, 0],
                   values[..., None], values)  # fmt: skip


def test_an_episode_succeeds_when_the_state_after_the_last_step_before_the_limit_does():
    for reached, expected in ((3, True), (4, True), (5, False)):
        table = verifier_study._steps(episode_with([False] * reached + [True]), 0.5, limit=4)
        assert set(table["success"]) == {expected}
        assert len(table) == 4
        assert table["return_to_go"].iloc[0] == pytest.approx(-2 * (1 - 0.5**reached))
        assert table["step"].tolist() == [0, 1, 2, 3]
        assert set(table["episode"]) == {3}


def test_base_runs_are_the_preset_as_it_is(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_RUNS", str(tmp_path))
    with pytest.raises(WorkbenchError, match="`workbench study inference` trains them"):
        base_runs()
    finished(0, tmp_path, weights={"ql": 10.0})
    finished(0, tmp_path, settings={"m_btt": 4})
    finished(0, tmp_path, steps=10)
    finished(7, tmp_path)
    (finished(1, tmp_path).path / "DONE").unlink()
    with pytest.raises(WorkbenchError, match="no finished run"):
        base_runs()
    wanted = [finished(2, tmp_path), finished(0, tmp_path, weights={"gamma": 0.980000019})]
    assert [folder.path for folder in base_runs()] == [folder.path for folder in reversed(wanted)]
    assert runs_dir() == tmp_path


def test_verifier_study_of_an_untrained_run(run):
    """Nothing succeeds, so every return is the geometric series of -1 to the end, long after the limit."""
    before = sorted(run.path.rglob("*"))
    tables = verifier_study.verifier(smoke=True)
    steps, table = tables["calibration"], tables["verifier"]
    assert len(steps) == 2 * 2 * LIMIT  # N and episodes
    remaining = LIMIT + horizon(GAMMA) - steps["step"].to_numpy()
    np.testing.assert_allclose(steps["return_to_go"].to_numpy(float), -(1 - GAMMA**remaining) / (1 - GAMMA))
    counts = table[["seed", "n", "episodes", "successes", "m_inf", "step"]].to_numpy().tolist()
    assert counts == [[1, n, 2, 0, 4, FULL.steps] for n in (1, 2)]
    first = {n: steps.query(f"step == 0 and n == {n}")[["q", "return_to_go"]].to_numpy() for n in (1, 2)}
    column = {name: table[name].to_numpy(float) for name in table.select_dtypes("number")}
    np.testing.assert_allclose(column["q_start"], [first[n][:, 0].mean() for n in (1, 2)], rtol=1e-6)
    np.testing.assert_allclose(column["return_start"], [first[n][:, 1].mean() for n in (1, 2)])
    np.testing.assert_allclose(column["gap"], column["q_start"] - column["return_start"])
    assert ((column["gap_low"] <= column["gap"]) & (column["gap"] <= column["gap_high"])).all()
    assert (np.abs(column["spearman"]) <= 1).all()
    assert np.isnan(column["spearman_start"]).all()  # their returns are all the same
    assert column["q_gain"][0] == 0 < column["q_gain"][1]
    assert (first[2][:, 0] >= first[1][:, 0] - 1e-5).all()
    assert sorted(run.path.rglob("*")) == before


def test_actions_study_of_an_untrained_run(run, monkeypatch):
    monkeypatch.setattr(actions_study, "_data", lambda scale: (CUBE_DATA, random_data(obs=28, act=5, seed=1)))
    table = actions_study.actions(smoke=True)["action_w2"]
    budgets = [(1, 1), (2, 1), (4, 1), (4, 2)]
    assert len(table) == 2 * len(budgets)
    assert set(zip(table["m_inf"], table["n"], strict=True)) == set(budgets)
    column = {name: table[name].to_numpy(float) for name in table.select_dtypes("number")}
    assert set(column["k"]) == {2}
    assert len(set(column["floor"])) == 1
    assert ((column["excess_low"] <= column["excess"]) & (column["excess"] <= column["excess_high"])).all()
    squares = column["w2"] ** 2 - (column["floor"] ** 2 + column["own"] ** 2) / 2
    np.testing.assert_allclose(column["excess"], np.sign(squares) * np.sqrt(np.abs(squares)), rtol=1e-4)
    assert ((column["saturation"] >= 0) & (column["saturation"] <= 1)).all()
    assert set(column["saturation_data"]) == {0.0}


def test_a_run_of_other_data_is_refused(run, monkeypatch):
    other = random_data(obs=28, act=5, seed=5)
    monkeypatch.setattr(actions_study, "_data", lambda scale: (other, other))
    with pytest.raises(WorkbenchError, match="trained on other data"):
        actions_study.actions(smoke=True)
