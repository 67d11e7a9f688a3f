"""Specs, checkpoints and run folders: round trips, damage, locks, and the DuckDB list."""

from multiprocessing import get_context

import equinox as eqx
import jax
import jax.numpy as jnp
import pandas as pd
import pytest

from tests.unit.problems import random_data
from tests.unit.test_spec import TASK, tiny_spec
from workbench.agents.sorl import SORL
from workbench.errors import WorkbenchError
from workbench.store.checkpoint import CheckpointError, load_checkpoint, save_checkpoint, state_hash
from workbench.store.folder import RunFolder
from workbench.store.query import find_run, list_runs, read_run
from workbench.store.spec import RunSpec, make_spec
from workbench.train import init_seeds


@pytest.fixture(scope="module")
def data():
    return random_data()


@pytest.fixture(scope="module")
def spec(data) -> RunSpec:
    return tiny_spec(data)


@pytest.fixture(scope="module")
def state(data, spec):
    return init_seeds(spec.build_agent(), data.example(), spec.seeds)


def test_a_checkpoint_survives_the_disk(tmp_path, data, spec, state):
    path = tmp_path / "a.ckpt"
    save_checkpoint(path, state, spec_hash="x", step=7)
    like = eqx.filter_eval_shape(init_seeds, spec.build_agent(), data.example(), spec.seeds)
    again, step = load_checkpoint(path, like, spec_hash="x")
    assert step == 7
    assert state_hash(again) == state_hash(state)
    assert jax.random.key_impl(again.key) == jax.random.key_impl(state.key)
    assert [p.name for p in tmp_path.iterdir()] == ["a.ckpt"]


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "other"])
def test_a_damaged_checkpoint_is_noticed(tmp_path, state, damage):
    path = tmp_path / "a.ckpt"
    save_checkpoint(path, state, spec_hash="x", step=7)
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[-50] ^= 1
    path.write_bytes({"cut": content[:-1], "flip": content, "empty": b"", "other": b"PK\x03\x04" * 99}[damage])
    with pytest.raises(CheckpointError, match="damaged"):
        load_checkpoint(path, state)


def test_a_checkpoint_of_another_run_or_shape_is_refused(tmp_path, data, state):
    path = tmp_path / "a.ckpt"
    save_checkpoint(path, state, spec_hash="x", step=7)
    with pytest.raises(CheckpointError, match="belongs to run x"):
        load_checkpoint(path, state, spec_hash="y")
    with pytest.raises(CheckpointError, match="other arrays"):
        load_checkpoint(path, init_seeds(SORL(width=9, depth=1), data.example(), (0, 1)))


def test_hash_sees_every_bit(state):
    changed = eqx.tree_at(lambda s: s.step, state, state.step.at[0].add(1))
    assert state_hash(changed) != state_hash(state)


def test_the_newest_whole_checkpoint_is_used(tmp_path, spec, state):
    folder = RunFolder.create(tmp_path, spec)
    for step in (1, 2, 3):
        folder.save(eqx.tree_at(lambda s: s.step, state, jnp.full(2, step)), step)
    assert [path.stem for path in folder.checkpoints()] == ["0000000002", "0000000003"]
    newest = folder.checkpoints()[-1]
    newest.write_bytes(newest.read_bytes()[:100])
    found = folder.load_latest(state)
    assert found is not None
    assert found[1] == 2
    assert int(found[0].step[0]) == 2
    assert newest.exists(), "reading alone renames nothing"
    folder.load_latest(state, set_aside=True)
    assert sorted(path.name for path in newest.parent.iterdir()) == ["0000000002.ckpt", "0000000003.damaged"]


def test_a_checkpoint_that_does_not_fit_is_refused_and_stays(tmp_path, data, spec, state):
    folder = RunFolder.create(tmp_path, spec)
    kept = folder.save(state, 7)
    with pytest.raises(CheckpointError, match="other arrays"):
        folder.load_latest(init_seeds(SORL(width=9, depth=1), data.example(), (0, 1)), set_aside=True)
    other = RunFolder.create(tmp_path, make_spec(TASK, data.provenance, steps=3))
    kept.rename(other.path / "ckpt" / kept.name)
    with pytest.raises(CheckpointError, match=f"belongs to run {spec.hash}, not to {other.spec.hash}"):
        other.load_latest(state, set_aside=True)
    assert len(other.checkpoints()) == 1


def test_a_run_is_itself_under_any_name(tmp_path, spec, state, monkeypatch):
    folder = RunFolder.create(tmp_path, spec)
    folder.save(state, 7)
    monkeypatch.chdir(folder.path)
    here = find_run(".")
    assert here.path == folder.path
    assert here.load_latest(state) is not None
    renamed = RunFolder(folder.path.rename(tmp_path / "the good one"))
    assert renamed.load_latest(state) is not None
    renamed.save(state, 8)
    assert RunFolder(renamed.path.rename(folder.path)).load_latest(state) is not None


def test_a_second_process_is_kept_out(tmp_path, spec):
    folder = RunFolder.create(tmp_path, spec)
    with (
        folder.lock(),
        pytest.raises(WorkbenchError, match="another process is training this run"),
        RunFolder(folder.path).lock(),
    ):
        pass


def test_rewinding_forgets_what_came_later(tmp_path, spec):
    folder = RunFolder.create(tmp_path, spec)
    folder.append_metrics([{"step": step, "seed": 0, "loss": 1.0} for step in (5, 10, 15)])
    with open(folder.metrics_file, "a") as file:
        file.write('{"step": 20, "se')  # the last line of a killed process
    folder.add_evals(_evals([5, 15], success=True))
    folder.rewind(10)
    assert [row["step"] for row in folder.metrics_rows()] == [5, 10]
    assert list(folder.evals()["step"]) == [5]


def _evals(steps: list[int], *, success: bool) -> pd.DataFrame:
    cell = {"seed": 0, "m_inf": 1, "n": 1, "verifier": "mean", "success_timing": "post", "episode": 0}
    return pd.DataFrame([{"step": step, **cell, "success": success} for step in steps])


def test_evaluating_again_replaces_the_episodes(tmp_path, spec):
    folder = RunFolder.create(tmp_path, spec)
    folder.add_evals(_evals([5], success=False))
    folder.add_evals(_evals([5], success=True))
    assert folder.evals()["success"].tolist() == [True]


def test_runs_are_listed_and_filtered(tmp_path, spec, data):
    folder = RunFolder.create(tmp_path, spec)
    other = RunFolder.create(tmp_path, make_spec(TASK, data.provenance, steps=3))
    assert len(list_runs(root=tmp_path)) == 2
    folder.add_evals(_evals([5], success=False))
    folder.add_evals(_evals([9], success=True))
    table = list_runs("success > 0.5", root=tmp_path)
    assert table["hash"].tolist() == [folder.path.name]
    assert table["eval_step"].tolist() == [9]
    assert list_runs("preset = 'paper'", root=tmp_path)["hash"].tolist() == [other.path.name]
    with pytest.raises(WorkbenchError, match="use the columns hash, task"):
        list_runs("sucess > 1", root=tmp_path)


def test_a_film_of_one_episode_is_not_how_a_run_is_listed(tmp_path, spec):
    folder = RunFolder.create(tmp_path, spec)
    folder.add_evals(pd.concat([_evals([5], success=each % 2 == 0).assign(episode=each) for each in range(6)]))
    folder.add_evals(_evals([5], success=True).assign(n=8))
    (row,) = list_runs(root=tmp_path).to_dict("records")
    assert (row["success"], row["n"], row["episodes"]) == (0.5, 1, 6)


def test_episodes_that_two_processes_add_at_once_are_all_kept(tmp_path, spec):
    """The second reads what the first has written, not what was there before."""
    folder = RunFolder.create(tmp_path, spec)
    context = get_context("spawn")
    adding = [context.Process(target=_add, args=(folder.path, first)) for first in (0, 100)]
    for process in adding:
        process.start()
    for process in adding:
        process.join()
    assert [process.exitcode for process in adding] == [0, 0]
    assert sorted(folder.evals()["episode"]) == [*range(10), *range(100, 110)]


def _add(path, first):
    for episode in range(first, first + 10):
        RunFolder(path).add_evals(_evals([5], success=True).assign(episode=episode))


def test_a_run_is_listed_with_one_cell_of_one_verifier_and_timing(tmp_path, spec):
    folder = RunFolder.create(tmp_path, spec)
    assert list_runs("success is null and not coalesce(success > 0.5, false)", tmp_path)["hash"].tolist() == [spec.hash]
    table = pd.concat([_evals([5], success=False), _evals([9], success=False)])
    minimum = _evals([9], success=True).assign(verifier="min")
    before = _evals([9], success=True).assign(success_timing="pre", m_inf=2)
    folder.add_evals(pd.concat([table, minimum, minimum.assign(episode=1, success=False), before]))
    (row,) = list_runs(root=tmp_path).to_dict("records")
    assert (row["m_inf"], row["verifier"], row["success_timing"]) == (1, "min", "post")
    assert (row["success"], row["episodes"]) == (0.5, 2)
    assert folder.episodes("post") == {(5, 1, 1, "mean"): 1, (9, 1, 1, "mean"): 1, (9, 1, 1, "min"): 2}
    assert folder.episodes("pre") == {(9, 2, 1, "mean"): 1}


def test_runs_are_found_by_the_start_of_their_hash(tmp_path, spec):
    folder = RunFolder.create(tmp_path, spec)
    assert find_run(folder.path.name[:5], tmp_path).path == folder.path
    assert find_run(str(folder.path)).path == folder.path
    with pytest.raises(WorkbenchError, match="no run 'zzz'"):
        find_run("zzz", tmp_path)
    with pytest.raises(WorkbenchError, match="no run '/runs/typo'"):
        find_run("/runs/typo", tmp_path)
    record = read_run(folder)
    assert record.spec == spec
    assert not record.done


@pytest.mark.parametrize(
    "name",
    [
        "run [a]",
        "[ab]",
        "a*",
        "?",
        "{a,b}",
        "step=77",
        "success=1",
        "m_inf=9",
        "it's; drop",
        "100 %",
        "s3:",
        "a#b",
        "äö",
    ],
)
def test_no_path_is_a_pattern(tmp_path, spec, name):
    """The runs beside it, which such a name as a pattern would match, are of no account."""
    for other in ("a", "b", "ab", "run a"):
        RunFolder.create(tmp_path / other, spec).add_evals(_evals([5], success=True))
    folder = RunFolder.create(tmp_path / name, spec)
    assert list_runs(root=tmp_path / name)["success"].to_list() == [pd.NA]
    folder.add_evals(_evals([5], success=False))
    (row,) = list_runs("success < 0.5", root=tmp_path / name).to_dict("records")
    assert (row["hash"], row["eval_step"], row["success"], row["m_inf"]) == (spec.hash, 5, 0.0, 1)
    assert find_run(spec.hash[:6], tmp_path / name).path == folder.path
    assert folder.evals()["step"].tolist() == [5]
