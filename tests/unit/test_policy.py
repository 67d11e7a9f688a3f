"""Policies: packed from a run, listed, and opened wherever a run is asked for, with the networks that were packed."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import numpy as np
import pandas as pd
import pytest

from tests.unit.packed import DATA, NAME, STEP, TASK, make_run, pack
from workbench.cli.main import main
from workbench.errors import WorkbenchError
from workbench.evaluate.cell import Cell
from workbench.evaluate.policy import make_controller
from workbench.experiments import evaluate_run, load_agent
from workbench.live.scrubber import open_panels
from workbench.live.session import Session
from workbench.live.trained import TrainedRun
from workbench.paths import policies_dir
from workbench.store import policy as policies
from workbench.store.checkpoint import state_hash
from workbench.store.folder import RunFolder
from workbench.store.policy import list_policies, open_policy, pack_policy, read_policy
from workbench.store.query import find_run, list_runs
from workbench.store.spec import RunSpec, make_spec
from workbench.train import one_seed

QUICK: dict[str, Any] = {"episodes": 2, "workers": 1, "episode_limit": 4, "progress": False}


@pytest.fixture(name="run", scope="module")
def fixture_run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return make_run(tmp_path_factory.mktemp("runs"))


@pytest.fixture(name="folder")
def fixture_folder(tmp_path: Path, run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one policy, which stands in for the package's."""
    folder = tmp_path / "packed"
    pack(run, folder)
    monkeypatch.setattr(policies, "policies_dir", lambda: folder)
    return folder


def test_a_policy_holds_the_spec_scores_and_origin_of_its_run(folder: Path, run: RunFolder) -> None:
    (policy,) = list_policies(folder)
    assert sorted(path.name for path in folder.iterdir()) == [f"{NAME}.policy", "index.json"]
    assert (policy.name, policy.run, policy.step) == (NAME, run.spec.hash, STEP)
    assert policy.spec == replace(run.spec, seeds=(4,))
    assert policy.env == run.env
    assert policy.size < 20_000
    kept = run.evals().query(f"step == {STEP} and seed == 4").reset_index(drop=True)
    pd.testing.assert_frame_equal(policy.evals, kept, check_exact=True)
    scores = policy.scores[["m_inf", "n", "episodes", "successes", "success"]].to_numpy().tolist()
    assert scores == [[2, 3, 5, 3, 0.6], [2, 1, 5, 1, 0.2]]


def test_a_weight_a_seed_becomes_that_of_the_packed_seed(tmp_path: Path) -> None:
    run = make_run(tmp_path, weights=make_spec(TASK, DATA, seeds=(0, 4), weights={"ql": [1, 2]}).weights)
    policy = pack(run, tmp_path / "packed")
    assert policy.spec.weights["ql"] == 2.0
    assert pack_policy(run, load_agent(run)[1], NAME, folder=tmp_path / "packed").spec.weights["ql"] == 1.0


def test_an_opened_policy_is_the_network_of_its_run(folder: Path, run: RunFolder, tmp_path: Path) -> None:
    agent, state = load_agent(run)
    opened = find_run(f"policy:{NAME}", tmp_path)
    same, again = load_agent(opened)
    assert same == agent
    expected = one_seed(jax.tree.map(lambda leaf: leaf[1:] if eqx.is_array(leaf) else leaf, state))
    found = one_seed(again)
    assert state_hash(found.nets) == state_hash(expected.nets) == state_hash(found.targets)
    assert int(found.step) == STEP
    x, budget = np.linspace(-1, 1, 28, dtype=np.float32), Cell(4, 3).budget()
    one, two = (make_controller(agent, each)(x, budget, jax.random.key(5)) for each in (expected, found))
    for name in ("a", "q", "candidates", "q_candidates"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    trained = TrainedRun(f"policy:{NAME}", root=tmp_path)
    assert trained.table[["m_inf", "n", "success", "episodes"]].to_numpy().tolist() == [[2, 1, 0.2, 5], [2, 3, 0.6, 5]]


def test_evaluations_equal_those_of_the_run_and_stay_with_the_policy(folder: Path, tmp_path: Path) -> None:
    run = make_run(tmp_path, seeds=(4,))
    pack(run, folder, "alone")
    opened = find_run("policy:alone", tmp_path)
    one, two = (evaluate_run(each, [Cell(2, 2)], record=2, **QUICK) for each in (run, opened))
    for mine, its in zip(one.rollouts, two.rollouts, strict=True):
        np.testing.assert_array_equal(mine.candidates, its.candidates)
        np.testing.assert_array_equal(mine.qpos, its.qpos)
    again = find_run("policy:alone", tmp_path)
    assert again.path == opened.path
    assert again.episodes("post") == {(STEP, 2, 1, "mean"): 5, (STEP, 2, 3, "mean"): 5}
    assert again.episodes("post", QUICK["episode_limit"]) == {(STEP, 2, 2, "mean"): 2}


def test_the_command_line_packs_lists_and_plays(
    run: RunFolder, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WORKBENCH_RUNS", str(tmp_path))
    assert main(["pack", str(run.path), "--name", "other", "--folder", str(folder), "--json"]) == 0
    (packed,) = json.loads(capsys.readouterr().out)
    assert main(["policies", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == [NAME, "other"]
    assert rows[1] == packed
    assert RunSpec.from_json(packed["spec"]).seeds == (0,)
    assert packed["scores"][0]["episodes"] == 5
    assert main(["policies"]) == 0
    assert packed["sha256"][:12] in capsys.readouterr().out
    line = ["evaluate", f"policy:{NAME}", "--m-inf", "1", "--n", "1", "--episodes", "1", "--workers", "1", "--json"]
    assert main(line) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["m_inf"], row["n"], row["episodes"]) == (1, 1, 1)
    assert main(["evaluate", "policy:cube-tinny"]) == 2
    assert "unknown policy 'cube-tinny': did you mean cube-tiny?" in capsys.readouterr().err


def test_a_policy_is_no_run_to_train_or_to_replay(folder: Path, tmp_path: Path) -> None:
    opened = open_policy(NAME, tmp_path, folder)
    assert list_runs(root=tmp_path).empty
    assert not opened.done
    with pytest.raises(WorkbenchError, match=r"holds no finished run \(a policy is none\)"):
        Session.load(opened.path)
    with pytest.raises(WorkbenchError, match="no video with scrub data"):
        open_panels(f"policy:{NAME}", tmp_path)  # it looks in the opened policy's folder, where `video` puts them


def test_what_a_kill_or_damage_left_is_unpacked_again(folder: Path, tmp_path: Path) -> None:
    policy, opened = read_policy(NAME, folder), open_policy(NAME, tmp_path, folder)
    (checkpoint,) = opened.checkpoints()
    whole = checkpoint.read_bytes()
    checkpoint.write_bytes(whole[:-1])
    assert open_policy(NAME, tmp_path, folder).checkpoints() == [checkpoint]
    assert checkpoint.read_bytes() == whole
    (opened.path / "spec.json").unlink()
    assert open_policy(NAME, tmp_path, folder).spec == policy.spec


def test_another_policy_of_the_same_name_has_a_folder_of_its_own(folder: Path, run: RunFolder, tmp_path: Path) -> None:
    first = open_policy(NAME, tmp_path, folder)
    pack(run, folder, seed=0)
    second = open_policy(NAME, tmp_path, folder)
    assert first.path != second.path
    assert (first.spec.seeds, second.spec.seeds) == ((4,), (0,))


def test_the_policies_of_the_package_are_whole_and_can_be_opened(tmp_path: Path) -> None:
    found = list_policies()
    assert sorted(path.stem for path in policies_dir().glob("*.policy")) == [each.name for each in found]
    for policy in found:
        assert policy.size <= policies.MOST_BYTES
        assert load_agent(open_policy(policy.name, tmp_path))[0].name == policy.spec.agent
