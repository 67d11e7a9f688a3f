"""Policies: packed from a run, listed, opened where a run is asked for, and refused in one sentence when bad."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import numpy as np
import pandas as pd
import pytest

from workbench.cli.main import main
from workbench.data.dataset import Provenance
from workbench.data.load import example_of
from workbench.errors import UnknownNameError, WorkbenchError
from workbench.evaluate.cell import Cell
from workbench.evaluate.policy import make_controller
from workbench.experiments import evaluate_run, load_agent
from workbench.live.scrubber import open_panels
from workbench.live.session import Session
from workbench.live.trained import TrainedRun
from workbench.paths import policies_dir, write_json
from workbench.store import policy as policies
from workbench.store.checkpoint import state_hash
from workbench.store.folder import RunFolder
from workbench.store.policy import MAGIC, Policy, PolicyError, list_policies, open_policy, pack_policy, read_policy
from workbench.store.query import find_run, list_runs
from workbench.store.sealed import unseal
from workbench.store.spec import RunSpec, make_spec
from workbench.train import init_seeds, one_seed

TASK = "cube-single-play-singletask-task2-v0"
DATA = Provenance("arrays", "none")
NAME, STEP = "cube-tiny", 7
QUICK: dict[str, Any] = {"episodes": 2, "workers": 1, "episode_limit": 4, "progress": False}


def make_run(root: Path, **changes: Any) -> RunFolder:
    """A run of two seeds at update 7, whose networks and targets differ; evaluated in two budgets."""
    plain = make_spec(TASK, DATA, preset_name="small", seeds=(0, 4), steps=9, settings={"width": 8, "depth": 1})
    spec = replace(plain, **changes)
    folder = RunFolder.create(root, spec)
    state = init_seeds(spec.build_agent(), example_of(TASK), spec.seeds)
    targets = jax.tree.map(lambda leaf: leaf + 1 if eqx.is_array(leaf) else leaf, state.targets)
    folder.save(eqx.tree_at(lambda s: (s.targets, s.step), state, (targets, state.step + STEP)), STEP)
    folder.note_environment()
    rows = {
        "task": TASK,
        "verifier": "mean",
        "success_timing": "post",
        "return": -1.5,
        "length": 5,
        "act_ms": 0.1 + 0.2,
    }
    folder.add_evals(
        pd.DataFrame(
            rows | {"step": step, "seed": seed, "m_inf": 2, "n": n, "episode": i, "success": i < n and seed == 4}
            for step in (3, STEP)
            for seed in spec.seeds
            for n in (1, 3)
            for i in range(5)
        )
    )
    return folder


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


def pack(run: RunFolder, folder: Path, name: str = NAME, seed: int = 4) -> Policy:
    return pack_policy(run, load_agent(run)[1], name, seed=seed, folder=folder)


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
    assert again.episodes("post") == {(STEP, 2, 1, "mean"): 5, (STEP, 2, 2, "mean"): 2, (STEP, 2, 3, "mean"): 5}


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


def flip(place: int) -> Callable[[bytes], bytes]:
    return lambda content: content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


def resealed(change: Callable[[dict[str, Any]], Any]) -> Callable[[bytes], bytes]:
    """The same weights under another header, as another version of the program would write them."""

    def write(content: bytes) -> bytes:
        found = unseal(MAGIC, content)
        assert found is not None
        header, weights = found
        change(header)
        encoded = json.dumps(header).encode()
        return MAGIC + len(encoded).to_bytes(8, "big") + encoded + weights

    return write


DAMAGED = {
    "cut short": (lambda content: content[:-1], r"is damaged \([\d,]+ bytes\)"),
    "empty": (lambda content: b"", r"is damaged \(0 bytes\)"),
    "a bit of the header": (flip(len(MAGIC) + 60), "is damaged"),
    "a bit of the weights": (flip(-200), "is damaged"),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_damage_is_one_sentence(folder: Path, tmp_path: Path, damage: str) -> None:
    change, sentence = DAMAGED[damage]
    file = folder / f"{NAME}.policy"
    file.write_bytes(change(file.read_bytes()))
    for call in (lambda: find_run(f"policy:{NAME}", tmp_path), lambda: list_policies(folder)):
        with pytest.raises(PolicyError, match=f"{sentence}.*: install the package again, or pack the policy again.$"):
            call()
    assert not (tmp_path / "policies").exists()


INDEXED = {
    "another format": (resealed(lambda h: h.update(version=2)), "has format version 2, this program reads 1"),
    "a later spec": (resealed(lambda h: h["spec"].update(revision=3)), "its spec does not fit.*revision"),
    "an older spec": (resealed(lambda h: h["spec"].pop("batch_size")), "its spec does not fit.*batch_size"),
    "an unknown agent": (
        resealed(lambda h: h["spec"].update(agent="sorll")),
        "unknown agent 'sorll': did you mean sorl",
    ),
    "an unknown task": (resealed(lambda h: h["spec"].update(task="cube-none")), "cannot be built by this one"),
    "an unknown setting": (
        resealed(lambda h: h["spec"]["settings"].update(beams=3)),
        "cannot be built by this one.*beams",
    ),
    "other networks": (resealed(lambda h: h["spec"]["settings"].update(width=9)), "its networks have other arrays"),
    "a zip file": (lambda content: b"PK\x03\x04" * 99, "is not a policy file: `workbench pack RUN"),
}


@pytest.mark.parametrize("what", INDEXED)
def test_a_file_that_is_as_it_was_written_may_not_fit_either(folder: Path, tmp_path: Path, what: str) -> None:
    change, sentence = INDEXED[what]
    file = folder / f"{NAME}.policy"
    file.write_bytes(change(file.read_bytes()))
    write_json(folder / "index.json", {NAME: hashlib.sha256(file.read_bytes()).hexdigest()})
    with pytest.raises(PolicyError, match=sentence) as caught:
        open_policy(NAME, tmp_path, folder)
    assert str(file) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert not list(tmp_path.glob("policies/*/spec.json"))


def test_names_and_missing_files_are_one_sentence(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"unknown policy 'cube-tin': did you mean cube-tiny\?"):
        find_run("policy:cube-tin", tmp_path)
    with pytest.raises(UnknownNameError, match=r"unknown policy '\.\./x'"):
        find_run("policy:../x", tmp_path)
    (folder / f"{NAME}.policy").unlink()
    with pytest.raises(PolicyError, match=r"cube-tiny\.policy is missing: install"):
        read_policy(NAME, folder)
    (folder / "index.json").write_text("{")
    with pytest.raises(PolicyError, match=r"index\.json is damaged"):
        list_policies(folder)
    assert list_policies(tmp_path / "none") == []


def test_what_cannot_be_packed_is_one_sentence(run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PolicyError, match="cannot be called 'Cube 1'"):
        pack(run, tmp_path, "Cube 1")
    with pytest.raises(PolicyError, match="has no seed 1: its seeds are 0, 4"):
        pack(run, tmp_path, seed=1)
    other = make_run(tmp_path)
    other.evals_file.unlink()
    with pytest.raises(PolicyError, match=r"no evaluated episode of seed 4 at update 7.*workbench evaluate"):
        pack(other, tmp_path)
    state = load_agent(run)[1]
    owned = RunFolder.create(tmp_path, replace(run.spec, code={"agent mine": "0"}))
    with pytest.raises(PolicyError, match="needs your agent mine"):
        pack_policy(owned, state, NAME, folder=tmp_path)
    (owned.path / "interventions.jsonl").write_text("{}\n")
    steered = RunFolder(owned.path.rename(tmp_path / "steered"))
    with pytest.raises(PolicyError, match="was steered by hand"):
        pack_policy(steered, state, NAME, folder=tmp_path)
    monkeypatch.setattr(policies, "MOST_BYTES", 1000)
    with pytest.raises(PolicyError, match=r"a policy of [\d,]+ bytes, more than the 1,000"):
        pack(run, tmp_path)
    assert not list(tmp_path.glob("*.policy"))


def test_the_policies_of_the_package_are_whole_and_can_be_opened(tmp_path: Path) -> None:
    found = list_policies()
    assert sorted(path.stem for path in policies_dir().glob("*.policy")) == [each.name for each in found]
    for policy in found:
        assert policy.size <= policies.MOST_BYTES
        assert load_agent(open_policy(policy.name, tmp_path))[0].name == policy.spec.agent
