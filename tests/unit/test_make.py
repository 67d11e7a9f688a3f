"""Regeneration: the same request gives the same bytes, in the official format, and OGBench can load them."""

import hashlib
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.unit.experts import write_expert
from workbench.data.catalogue import DATASETS, dataset_info
from workbench.data.make import make_dataset, run, shards
from workbench.data.make.episodes import SPLITS, collect_episode, episode_rng
from workbench.data.make.manipulation import ManipulationCollector, cube_stays_on_table
from workbench.data.make.shards import is_finished, plan_shards, write_shard
from workbench.data.make.spec import open_collector, plan_set
from workbench.data.npz import file_record, read_sidecar
from workbench.errors import DatasetError, UnknownNameError, WorkbenchError

CUBE = "cube-single-play-v0"
SMALL: dict[str, Any] = {"episodes": 6, "val_episodes": 2, "rows": 100}


def digests(target: Path) -> list[str]:
    pair = (target, target.with_name(f"{target.stem}-val.npz"))
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in pair]


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small cube set made in one go by one worker."""
    return make_dataset(CUBE, **SMALL, workers=1, folder=tmp_path_factory.mktemp("reference"), progress=False)


def tiny_spec(seed: int = 0, rows: int = 4):
    return plan_set(dataset_info(CUBE), 2, 1, seed, rows, None)


# The bytes


def test_two_workers_and_other_shards_give_the_same_bytes(reference, tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "SHARD_ROWS", 200)
    assert digests(make_dataset(CUBE, **SMALL, workers=2, folder=tmp_path, progress=False)) == digests(reference)


@pytest.mark.parametrize("damaged", [False, True])
def test_a_larger_set_takes_the_episodes_of_a_smaller_one_if_that_is_whole(reference, tmp_path, monkeypatch, damaged):
    monkeypatch.setattr(shards, "SHARD_ROWS", 200)
    monkeypatch.setenv("WORKBENCH_DATA", str(tmp_path))
    fewer: dict[str, Any] = SMALL | {"episodes": 4, "val_episodes": 1}
    smaller = make_dataset(CUBE, **fewer, workers=1, progress=False)
    if damaged:
        content = bytearray(smaller.read_bytes())
        content[5000] ^= 1
        smaller.write_bytes(content)
    asked: list[tuple[str, int]] = []
    jobs = run.run_jobs

    def watched(maker, missing, *rest):
        asked.extend((shard.split, shard.first) for shard in missing)
        return jobs(maker, missing, *rest)

    monkeypatch.setattr(run, "run_jobs", watched)
    assert digests(make_dataset(CUBE, **SMALL, workers=1, progress=False)) == digests(reference)
    assert asked == ([("train", 0), ("train", 2)] if damaged else []) + [("train", 4), ("val", 0)]


def test_files_have_the_official_keys_types_and_rows(reference):
    for path, episodes in ((reference, 6), (reference.with_name(f"{CUBE}-val.npz"), 2)):
        with np.load(path, allow_pickle=False) as arrays:
            found = {key: (arrays[key].dtype.name, arrays[key].shape) for key in arrays.files}
            ends = np.flatnonzero(arrays["terminals"])
            assert np.abs(arrays["actions"]).max() <= 1
        rows = episodes * 100
        assert found == {
            "observations": ("float32", (rows, 28)),
            "actions": ("float32", (rows, 5)),
            "terminals": ("bool", (rows,)),
            "qpos": ("float32", (rows, 21)),
            "qvel": ("float32", (rows, 20)),
        }
        assert ends.tolist() == list(range(99, rows, 100))


def test_sidecar_describes_both_files(reference):

    record = read_sidecar(reference)
    assert record is not None
    assert (record["kind"], record["seed"], record["episodes"]) == ("regenerated", 0, 6)
    assert set(record["files"]) == {f"{CUBE}.npz", f"{CUBE}-val.npz"}
    for name, entry in record["files"].items():
        assert entry == file_record(reference.with_name(name))


def test_every_episode_has_a_stream_of_its_own():
    draws = {episode_rng(seed, split, k).integers(2**63) for seed in (0, 1) for split in SPLITS for k in range(50)}
    assert len(draws) == 200


@pytest.mark.parametrize(
    "name", ["cube-double-noisy-v0", "scene-play-v0", "puzzle-3x3-play-v0", "pointmaze-medium-navigate-v0"]
)
def test_an_episode_does_not_depend_on_those_before_it(name):
    def episode(collector, number):
        return collect_episode(collector, episode_rng(0, "train", number), 60)

    used = open_collector(dataset_info(name), None)
    episode(used, 0)
    episode(used, 1)
    after, alone = episode(used, 2), episode(open_collector(dataset_info(name), None), 2)
    assert {key: array.tobytes() for key, array in after.items()} == {key: a.tobytes() for key, a in alone.items()}


def test_workers_import_no_jax_and_the_parent_no_simulator():
    code = "import sys, workbench.data.make; print({'jax', 'mujoco', 'gymnasium'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"


# Redraws


class Picky:
    """A collector whose episodes are accepted when their first number is large."""

    def __init__(self):
        self.seen = []

    def steps(self, rng):
        while True:
            yield rng.random(2), rng.random(1), {"prev_qpos": np.zeros(1), "prev_qvel": np.zeros(1)}

    def accepts(self, episode):
        self.seen.append(episode["observations"][0, 0])
        return self.seen[-1] > 0.9


def test_a_refused_episode_is_redrawn_from_the_same_stream():
    first, second = Picky(), Picky()
    episodes = [collect_episode(each, episode_rng(0, "train", 0), 3) for each in (first, second)]
    assert len(first.seen) > 1
    assert first.seen == second.seen
    assert np.array_equal(episodes[0]["observations"], episodes[1]["observations"])


@pytest.mark.parametrize(
    ("y", "z", "stays"),
    [(0.0, 0.02, True), (0.3, 0.02, False), (-0.31, 0.07, True), (-0.31, 0.02, False), (-0.31, 0.2, False)],
)
def test_cube_stays_on_table(y, z, stays):
    qpos = np.zeros((5, 25), np.float32)
    qpos[3, 15:17] = y, z
    assert cube_stays_on_table(qpos) is stays


# What is there already


def test_shards_of_another_request_are_not_used(tmp_path):
    episode = {"observations": np.zeros((4, 28), np.float32), "terminals": np.arange(4) == 3}
    mine, other = plan_shards(tiny_spec(seed=0), tmp_path)[0], plan_shards(tiny_spec(seed=1), tmp_path)[0]
    write_shard(mine, [episode, episode])
    assert mine.path == other.path
    assert is_finished(mine)
    assert not is_finished(other)
    mine.path.write_bytes(mine.path.read_bytes()[:-100])
    assert not is_finished(mine)


def test_a_set_that_exists_is_not_made_again_nor_mistaken_for_another(reference, monkeypatch):
    monkeypatch.setattr(run, "run_jobs", lambda *_: pytest.fail("made again"))
    assert make_dataset("cube-single-play", **SMALL, folder=reference.parent, progress=False) == reference
    with pytest.raises(DatasetError, match="not made with these settings"):
        make_dataset(CUBE, **SMALL, seed=1, folder=reference.parent, progress=False)


def test_the_default_folder_is_named_after_the_request(monkeypatch, tmp_path):
    monkeypatch.setenv("WORKBENCH_DATA", str(tmp_path))
    spec = plan_set(dataset_info(CUBE), 300, None, 7, None, None)
    assert spec.default_folder() == tmp_path / "regenerated" / f"{CUBE}-e300-s7"
    assert (spec.val_episodes, spec.rows) == (30, 1001)


# Requests


@pytest.mark.parametrize(
    ("name", "settings", "says"),
    [
        ("humanoidmaze-medium-navigate-v0", {}, "no humanoidmaze expert"),
        ("antmaze-large-navigate-v0", {}, "pass --expert FILE"),
        (CUBE, {"expert": Path("ant.npz")}, "leave --expert out"),
        (CUBE, {"episodes": 0}, "episodes must be at least 1"),
        (CUBE, {"val_episodes": 0}, "validation episodes must be at least 1"),
        (CUBE, {"workers": 0}, "workers must be at least 1"),
        (CUBE, {"seed": -1}, "must not be negative"),
    ],
)
def test_impossible_requests_are_refused(name, settings, says, tmp_path):
    with pytest.raises(WorkbenchError, match=says):
        make_dataset(name, **settings, folder=tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_unknown_names_are_refused_with_suggestions():
    with pytest.raises(UnknownNameError, match="did you mean"):
        make_dataset("cube-singel-play-v0")


def test_a_wrong_expert_is_refused_before_any_work(tmp_path):
    layers: dict[str, Any] = {f"kernel_{k}": np.zeros((4, 4)) for k in range(3)} | {
        f"bias_{k}": np.zeros(4) for k in range(3)
    }
    np.savez(tmp_path / "small.npz", **layers)
    np.savez(tmp_path / "empty.npz")
    for file, says in (("absent", "No such file"), ("empty", "kernel_0"), ("small", "29 inputs")):
        with pytest.raises(DatasetError, match=says):
            make_dataset("antmaze-medium-stitch-v0", expert=tmp_path / f"{file}.npz", folder=tmp_path)


# OGBench reads what was made


def check_loads(target: Path, expect_rows: int) -> None:
    from ogbench import make_env_and_datasets

    name = target.stem.removesuffix("-v0")
    loaded: Any = make_env_and_datasets(f"{name}-singletask-task1-v0", dataset_path=str(target))
    env, train, val = loaded
    ob, _ = env.reset()
    assert train["observations"].shape[1:] == val["observations"].shape[1:] == ob.shape
    assert train["actions"].shape[1:] == env.action_space.shape
    assert len(train["rewards"]) == len(train["masks"]) == len(train["next_observations"]) == expect_rows
    assert set(np.unique(train["masks"])) <= {0.0, 1.0}
    assert all(np.isfinite(array).all() for array in train.values())


def test_ogbench_loads_cube(reference):
    check_loads(reference, 6 * 99)


@pytest.mark.parametrize("name", ["pointmaze-medium-stitch-v0", "scene-play-v0"])
def test_ogbench_loads(name, tmp_path):
    check_loads(make_dataset(name, episodes=2, rows=30, workers=1, folder=tmp_path, progress=False), 2 * 29)


def test_ogbench_loads_ant_and_its_sidecar_names_the_expert(tmp_path):
    expert = write_expert(tmp_path)
    settings: dict[str, Any] = {"episodes": 2, "rows": 30, "workers": 1, "expert": expert, "progress": False}
    target = make_dataset("antmaze-medium-explore-v0", **settings, folder=tmp_path / "set")
    check_loads(target, 2 * 29)
    record, sha256 = read_sidecar(target), file_record(expert)["sha256"]
    assert record is not None
    assert (record["request"]["expert_sha256"], record["detail"]) == (sha256, f"own expert (sha256 {sha256[:12]})")


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, info in sorted(DATASETS.items()) if info.can_make])
def test_every_kind_can_be_made_and_loaded(name, tmp_path):
    expert = write_expert(tmp_path) if name.startswith("antmaze") else None
    folder = tmp_path / "set"
    target = make_dataset(name, episodes=2, rows=30, workers=1, expert=expert, folder=folder, progress=False)
    check_loads(target, 2 * 29)


@pytest.mark.parametrize(("name", "share"), [("cube-single-noisy-v0", 0.1), ("puzzle-3x3-noisy-v0", 0.2)])
def test_noisy_sets_act_at_random_as_often_as_the_official_ones(name, share):
    # An oracle that stands still: every action that is not small is a random one (rates of 400 draws within 4 sigma).
    collector = ManipulationCollector(dataset_info(name))
    rng, ob = np.random.default_rng(0), np.zeros(1)
    still = SimpleNamespace(select_action=lambda ob, info: np.zeros(5))
    drawn = [collector._action(still, ob, {}, np.full(5, 1e-6), rng) for _ in range(400)]
    rate = np.mean([np.abs(action).max() > 1e-3 for action in drawn])
    assert abs(rate - share) < 4 * np.sqrt(share * (1 - share) / 400)
