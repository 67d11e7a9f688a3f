"""Tables that are collected over machines keep the rows of runs that are not here, and say where those were made."""

import pandas as pd
import pytest

from workbench.studies import registry
from workbench.studies.registry import Study, run_study
from workbench.studies.table import provenance, read_table


@pytest.fixture
def found(monkeypatch):
    """What runs are here, by hash, and the machine they are on."""
    here = {"runs": {}, "machine": ""}

    class Grown(Study):
        def load(self):
            return lambda smoke: {"grown": pd.DataFrame({"hash": list(here["runs"]), "k": list(here["runs"].values())})}

    monkeypatch.setattr(registry, "STUDIES", {"grown": Grown("", ("grown",), "", grows=True)})
    monkeypatch.setattr(registry, "environment", lambda: {"machine": here["machine"]})
    return here


def test_rows_of_runs_that_are_elsewhere_are_kept_with_their_origin(found, tmp_path):
    for machine, runs in (("a", {"x": 1, "y": 2}), ("b", {"y": 20, "z": 3}), ("c", {"w": 4})):
        found.update(machine=machine, runs=runs)
        run_study("grown", tmp_path)
    table, made = read_table(tmp_path, "grown"), provenance(tmp_path, "grown")
    assert dict(zip(table["hash"], table["k"], strict=True)) == {"x": 1, "y": 20, "z": 3, "w": 4}
    assert made["environment"] == {"machine": "c"}
    assert made["runs"] == ["w", "x", "y", "z"]
    assert made["earlier"] == [
        {"runs": ["x"], "environment": {"machine": "a"}},
        {"runs": ["y", "z"], "environment": {"machine": "b"}},
    ]


def test_smoke_keeps_nothing(found, tmp_path):
    for runs in ({"x": 1}, {"y": 2}):
        found["runs"] = runs
        run_study("grown", tmp_path, smoke=True)
    assert list(read_table(tmp_path, "grown")["hash"]) == ["y"]
