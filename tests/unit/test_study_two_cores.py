"""The tables of the campaign and of its pilot: finished runs alone, with what they were made with."""

from itertools import product

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
    assert {*zip(table["m_inf"], table["n"], strict=True)} == set(product((1, 2, 4, 8), (1, 4, 32)))
    assert set(table["step"]) == {2, 4}
    assert len(table) == 12 * 2 * len(SMOKE.seeds)
    made = {"steps": 4, "width": 128, "depth": 4, "w_ql": 10.0, "lr": 3e-4, "gamma": 0.99, "rows": 2 * 1000}
    for name, value in made.items():
        assert set(table[name]) == {value}, name


def test_before_any_run_has_finished_it_says_how_to_make_them(runs, monkeypatch):
    monkeypatch.setenv("WORKBENCH_DATA", str(runs / "data"))
    with pytest.raises(WorkbenchError, match="`workbench sweep two_cores` does them"):
        two_cores.two_cores()
