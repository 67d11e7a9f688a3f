"""Branches: back and forth in time exactly, side by side, and on disk."""

import dataclasses
from collections.abc import Iterator

import equinox as eqx
import jax
import numpy as np
import pytest

from tests.unit.live_trainers import Maker, makers, until
from workbench.errors import WorkbenchError
from workbench.live import rounds
from workbench.live.branch import Kept
from workbench.live.history import History
from workbench.live.problems import Probes
from workbench.store.checkpoint import state_hash
from workbench.store.query import find_run, list_runs


@pytest.fixture(name="make")
def fixture_make() -> Iterator[Maker]:
    yield from makers()


def test_rewind_and_fork_are_exact(make):
    trainer, hashes = make(), {}
    main = trainer.branch
    main.kept.every = 40
    for values in ({"sc": 0.0}, {"lr": 3e-3, "ql": 1.0}, {"gamma": 0.5}):
        trainer.step(33)
        trainer.wait(120.0)
        hashes[main.step] = state_hash(main.state)
        trainer.set(**values)
    trainer.step(20)
    trainer.result(120.0)
    before, history = list(main.interventions), main.history
    assert [each.step for each in before] == [33, 66, 66, 99]

    child = trainer.fork(66, "second")
    assert state_hash(child.state) == hashes[66]
    assert (child.parent, child.forked_at, trainer.selected) == ("main", 66, "second")
    assert child.dials.read()[1].values["sc"] == 0.0
    assert child.dials.read()[1].values["lr"] == main.start.values["lr"]
    assert (main.interventions, main.history) == (before, history)

    trainer.rewind(99, "main")
    assert state_hash(main.state) == hashes[99]
    assert main.history.all()["step"].max() <= 99
    assert main.history is not history
    assert [each.step for each in main.interventions] == [33, 66, 66]
    trainer.rewind(33, "second")
    assert (state_hash(child.state), child.forked_at) == (hashes[33], 33)
    with pytest.raises(WorkbenchError, match="updates 0 to 99, so it cannot go to 100"):
        trainer.rewind(100, "main")
    assert trainer.status == "paused"


def test_fork_now_takes_the_dials_as_they_stand(make):
    trainer = make()
    trainer.step(5)
    trainer.wait(120.0)
    trainer.set(sc=0.5)
    child = trainer.fork()
    assert child.name == "main from 5"
    trainer.set("main", sc=7.0)
    trainer.step(2)
    trainer.result(120.0)
    assert [each.new for each in child.interventions] == [0.5]
    assert [each.new for each in trainer.branches["main"].interventions] == [7.0]
    with pytest.raises(WorkbenchError, match="there is a branch 'main' already"):
        trainer.fork(name="main")


def test_a_fork_is_reset_to_what_it_began_with(make):
    trainer = make()
    trainer.step(10)
    trainer.wait(120.0)
    trainer.set(sc=2.0)
    trainer.step(10)
    trainer.wait(120.0)
    trainer.set(ql=0.5)
    began = trainer.branch.dials.read()[1].values
    now = trainer.fork(name="now")
    trainer.set(sc=0.0, n=4)
    trainer.step(5)
    trainer.wait(120.0)
    trainer.reset()
    assert now.dials.read()[1].values == began
    past = trainer.fork(15, "past", branch="main")
    trainer.set(ql=9.0)
    trainer.reset()
    assert past.dials.read()[1].values == began | {"ql": past.start.values["ql"]}
    trainer.rewind(5, "past")
    assert past.values_of() == past.start.values
    varied = trainer.vary(branch="now", m_btt=2)
    assert varied.values_of() == now.dials.read()[1].values


def test_branches_take_turns_unless_they_rest(make):
    trainer = make()
    trainer.fork(0, "second")
    trainer.start()
    until(lambda: all(branch.step > 10 for branch in trainer.branches.values()))
    trainer.activate("main", False)
    trainer.pause()
    rested = trainer.branches["main"].step
    trainer.step(10)
    trainer.wait(120.0)
    assert trainer.branches["main"].step == rested


def test_every_branch_is_measured_where_it_comes_to_rest(make, monkeypatch):
    monkeypatch.setattr(Probes, "due", lambda self, branch: False)
    trainer = make()
    trainer.fork(0, "second")
    trainer.start(3)
    trainer.result(120.0)
    for branch in trainer.branches.values():
        columns = branch.history.all()
        (last,) = columns["val_fm"][columns["step"] == branch.step]
        assert np.isfinite(last)


def test_vary_begins_anew_with_other_static_settings(make):
    trainer = make()
    trainer.set(sc=2.5, n=3)
    trainer.step(3)
    trainer.wait(120.0)
    first = trainer.compile_seconds
    child = trainer.vary(m_btt=2)
    assert (child.name, child.step, child.agent.m_btt) == ("m_btt=2", 0, 2)
    assert child.start.values["sc"] == 2.5
    trainer.step(3)
    trainer.result(120.0)
    assert [each.name for each in child.interventions] == ["n"]
    assert None not in (first, trainer.compile_seconds)
    assert trainer.compile_seconds != first
    with pytest.raises(WorkbenchError, match="m_btt=3 cannot be trained"):
        trainer.vary(m_btt=3)


def test_kept_states_are_few_and_even(make):
    kept, state = Kept(most=8, every=10), make().branch.state
    for step in range(0, 5000, 7):
        kept.offer(step, state)
    steps = sorted(kept.states)
    assert steps[0] == 0
    assert len(steps) <= 8
    gaps = np.diff(steps)
    assert gaps.max() <= 2 * gaps.min()
    assert max(steps) >= 5000 - 2 * kept.every


def test_branches_share_the_memory_for_kept_states(make, monkeypatch):
    state = make().branch.state
    size = sum(leaf.nbytes for leaf in jax.tree.leaves(eqx.filter(state, eqx.is_array)))
    monkeypatch.setattr(rounds, "KEPT_BYTES", 20 * size)
    trainer = make()
    trainer.branch.kept.every = 1
    for _ in range(20):
        trainer.step(1)
        trainer.wait(120.0)
    assert trainer.branch.kept.most == 20
    for name in ("second", "third"):
        trainer.fork(name=name, branch="main")
    for branch in trainer.branches.values():
        assert branch.kept.most == 6
        assert len(branch.kept.states) <= 6
    assert 0 in trainer.branch.kept.states


def test_a_branch_becomes_a_run(make, tmp_path):
    trainer = make()
    trainer.step(10)
    trainer.wait(120.0)
    plain = trainer.record(root=tmp_path)
    assert plain.name == dataclasses.replace(trainer.branch.spec, steps=10).hash
    trainer.set(sc=0.0)
    trainer.step(5)
    trainer.wait(120.0)
    steered = trainer.record(root=tmp_path)
    assert steered != plain
    assert find_run(steered.name, tmp_path).load_latest(trainer.branch.state) is not None
    assert '"name": "sc"' in (steered / "interventions.jsonl").read_text()
    table = list_runs("done", root=tmp_path)
    assert sorted(table["step"]) == [10, 15]


def test_history_gives_rows_after_a_cursor():
    history = History()
    for step in range(1, 700):
        history.append(step, {"loss": 1.0 / step} | ({"reward": 0.5} if step % 100 == 0 else {}))
    cursor, columns = history.since(698)
    assert (cursor, columns["step"].tolist()) == (699, [699.0])
    assert history.names == ("loss", "reward")
    assert np.isfinite(history.all()["reward"]).sum() == 6
    assert history.since(cursor)[1]["loss"].shape == (0,)
    earlier = history.until(150)
    earlier.append(160, {"loss": 0.0})
    assert (len(earlier), earlier.all()["loss"][-1], len(history)) == (151, 0.0, 699)
