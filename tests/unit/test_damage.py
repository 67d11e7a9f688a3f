"""A file of one run that cannot be read costs that run a sentence, and the others nothing."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from tests.unit.problems import random_data
from tests.unit.sweeping import PLAYED, write
from tests.unit.test_spec import tiny_spec
from workbench.cli.runs import Runs
from workbench.errors import WorkbenchError
from workbench.store.damage import DamagedRunError
from workbench.store.folder import RunFolder
from workbench.store.query import find_run, list_runs, read_run
from workbench.sweeps.ledger import statuses
from workbench.sweeps.plan import existing_seeds, plan
from workbench.sweeps.progress import progress
from workbench.sweeps.spec import read_sweep

SPEC = ["empty", "cut", "bytes", "{}", "[]", "3", "null", "unknown field", "no seeds", "steps a word", "seeds words"]
EVALS = ["empty", "cut", "bytes", "other table", "middle"]
METRICS = ["empty", "cut", "bytes", "3", "{}", '{"step": "far", "seed": 0}', "[" * 100_000]
DAMAGES = [("spec.json", how) for how in SPEC] + [("evals.parquet", how) for how in EVALS]
HARMLESS = [("metrics.jsonl", how) for how in METRICS] + [("metrics.parquet", "cut"), ("metrics.parquet", "bytes")]


def episodes(task: str = "maze") -> pd.DataFrame:
    """Two evaluated episodes."""
    row = {"task": task, "step": 4, "seed": 0, "m_inf": 1, "n": 1, "verifier": "mean", "success_timing": "post"}
    return pd.DataFrame([row | {"episode": k, "success": bool(k), "return": -1.0} for k in range(2)])


def damage(file: Path, how: str) -> None:
    """Spoil a file that is whole."""
    content = file.read_bytes()
    known = json.loads(content) if file.suffix == ".json" else {}
    changed = {
        "unknown field": known | {"new_in_version_9": 1},
        "no seeds": {key: value for key, value in known.items() if key != "seeds"},
        "steps a word": known | {"steps": "many"},
        "seeds words": known | {"seeds": ["a"]},
    }
    if how == "other table":
        pd.DataFrame({"a": [1]}).to_parquet(file)
        return
    middle = len(content) // 2
    spoiled = {
        "empty": b"",
        "cut": content[: -len(content) // 3],
        "bytes": bytes(range(256)) * 4,
        "middle": content[:40] + b"\xff" * (middle - 40) + content[middle:],
    }
    file.write_bytes(spoiled.get(how) or (json.dumps(changed[how]).encode() if how in changed else how.encode()))
    if how == "empty":
        file.write_bytes(b"")


@pytest.fixture
def runs(tmp_path) -> tuple[RunFolder, RunFolder]:
    """A whole run, and one of another seed that tests may spoil."""
    spec = tiny_spec(random_data())
    folders = [RunFolder.create(tmp_path, each) for each in (spec, replace(spec, seeds=(5,)))]
    for folder in folders:
        folder.append_metrics([{"step": 2, "seed": 0, "seconds": 1.0}, {"step": 4, "seed": 0, "seconds": 2.0}])
        folder.metrics_table.write_bytes(b"PAR1")
        folder.add_evals(episodes())
    return folders[0], folders[1]


@pytest.mark.parametrize(("name", "how"), DAMAGES)
def test_a_damaged_run_is_listed_with_a_sentence_and_the_others_as_they_are(runs, monkeypatch, capsys, name, how):
    good, bad = runs
    damage(bad.path / name, how)
    listed = list_runs(root=good.path.parent).set_index("hash")
    assert float(listed.loc[good.path.name, "success"]) == 0.5
    assert pd.isna(listed.loc[good.path.name, "damage"])
    assert str(bad.path / name) in listed.loc[bad.path.name, "damage"]
    assert find_run(good.path.name, good.path.parent).spec == good.spec
    (packs,) = existing_seeds(good.path.parent).values()
    assert len(packs) == (1 if name == "spec.json" else 2)
    with pytest.raises(DamagedRunError, match=name):
        read_run(bad)
    monkeypatch.setenv("WORKBENCH_RUNS", str(good.path.parent))
    assert Runs().run() == 0
    printed = capsys.readouterr().out
    assert f"{name} cannot be read" in printed
    assert len(printed.splitlines()) == 5


@pytest.mark.parametrize(("name", "how"), HARMLESS)
def test_damaged_metrics_cost_the_rows_after_the_damage(runs, name, how):
    good, bad = runs
    damage(bad.path / name, how)
    assert list_runs(root=good.path.parent)["damage"].dropna().tolist() == []
    assert len(read_run(bad).metrics) == (2 if name == "metrics.parquet" else 1 if how == "cut" else 0)


def test_a_spec_that_cannot_be_read_is_written_again_by_its_own_training(runs):
    _, bad = runs
    spec = bad.spec
    damage(bad.path / "spec.json", "cut")
    assert RunFolder.create(bad.path.parent, spec).spec == spec
    assert (bad.path / "spec.damaged").exists()


def test_a_sweep_goes_on_beside_and_with_damaged_runs(tmp_path, monkeypatch):
    monkeypatch.setattr("workbench.sweeps.plan._data_of", lambda sweep, task: found)
    from workbench.sweeps.plan import _Found

    found = _Found(None, random_data().provenance)
    sweep = read_sweep(write(tmp_path, PLAYED))
    (job,) = plan(sweep, tmp_path / "runs")
    folder = RunFolder.create(job.root, job.spec)
    folder.add_evals(episodes())
    folder.done_file.write_text("{}")
    damage(folder.evals_file, "cut")
    other = tmp_path / "runs" / "0123"
    other.mkdir()
    (other / "spec.json").write_text("")
    (again,) = plan(sweep, tmp_path / "runs")
    assert again.spec == job.spec
    (status,) = statuses([again])
    assert status.state == "evaluating"
    assert "cannot be read" in str(progress([again])[0]["success"])
    with pytest.raises(WorkbenchError, match=r"evals.parquet cannot be read"):
        folder.episodes("post")


def test_runs_are_listed_in_many_threads_at_once(runs):
    root = runs[0].path.parent
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: list_runs("success > 0.1", root=root), range(12)))
    assert {len(each) for each in found} == {2}
