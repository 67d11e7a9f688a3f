"""The tables of the campaign and of its pilot: finished runs alone, with what they were made with."""

import pytest

from workbench.errors import WorkbenchError
from workbench.studies import two_cores
from workbench.studies.campaign import SMOKE


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_RUNS", str(tmp_path / "runs"))
    return tmp_path


def test_a_row_a_run_checkpoint_and_budget_with_its_settings(runs):
    table = two_cores.pilot(smoke=True)["two_cores_pilot"]
    assert set(table["w_ql"]) == {0.2, 1.0, 3.0, 10.0, 30.0}
    assert {*zip(table["m_inf"], table["n"], strict=True)} == {(1, 1), (8, 1), (8, 4), (8, 32)}
    assert set(table["step"]) == {2, 4}
    assert len(table) == 5 * 4 * 2 * len(SMOKE.seeds)
    for name, value in {"steps": 4, "width": 256, "depth": 2, "lr": 1e-3, "gamma": 0.98, "rows": 2 * 1000}.items():
        assert set(table[name]) == {value}, name


def test_before_any_run_has_finished_it_says_how_to_make_them(runs, monkeypatch):
    monkeypatch.setenv("WORKBENCH_DATA", str(runs / "data"))
    with pytest.raises(WorkbenchError, match="`workbench sweep two_cores` does them"):
        two_cores.two_cores()
