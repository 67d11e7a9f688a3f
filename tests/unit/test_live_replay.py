"""Interventions on record: a schedule repeated without thread gives the same bits, from memory, a file or the shell."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.live_trainers import DATA, Maker, makers, until
from workbench.cli.replay import Replay
from workbench.errors import UnknownNameError, WorkbenchError
from workbench.live.interventions import (
    Intervention,
    apply,
    from_records,
    read_jsonl,
    stretches,
    to_records,
    write_jsonl,
)
from workbench.live.session import Session, write_run
from workbench.live.snapshot import Settings
from workbench.live.trainer import Trainer
from workbench.store.checkpoint import state_hash
from workbench.train import train_chunk

START = Settings((("sc", 1.0), ("lr", 0.1), ("n", 1), ("verifier", "mean")))
MOVES = [
    Intervention(0, "sc", 1.0, 0.1 + 0.2),
    Intervention(40, "verifier", "mean", "min"),
    Intervention(40, "n", 1, 8),
    Intervention(90, "sc", 0.1 + 0.2, 1e-7),
]


@pytest.fixture(name="make")
def fixture_make() -> Iterator[Maker]:
    yield from makers()


def move_at_random(trainer: Trainer, moves: int, seed: int) -> None:
    """Turn dials while it trains, at moments that nobody chose."""
    rng = np.random.default_rng(seed)
    for _ in range(moves):
        name = str(rng.choice(["ql", "fm", "sc", "gamma", "tau", "lr", "m_inf"]))
        most = {"gamma": 1.0, "tau": 0.1, "lr": 1e-2}.get(name, 20.0)
        trainer.set(**{name: int(rng.integers(1, 9)) if name == "m_inf" else rng.uniform(0, most)})
        time.sleep(rng.uniform(0, 0.05))


def test_replay_without_a_thread_gives_the_same_bits(make, tmp_path):
    trainer = make()
    trainer.start()
    until(lambda: trainer.branch.step)
    move_at_random(trainer, 20, seed=1)
    trainer.fork(name="second")
    move_at_random(trainer, 20, seed=2)
    trainer.select("main")
    move_at_random(trainer, 10, seed=3)
    trainer.pause()
    trainer.save(tmp_path / "session.json")
    session = Session.load(tmp_path / "session.json")
    assert [record.name for record in session.branches] == ["main", "second"]
    for record in session.branches:
        branch = trainer.branches[record.name]
        assert len(branch.interventions) > 5
        assert record.state_sha256 == state_hash(branch.state) == state_hash(record.replay(DATA[0]))
    first = session.branches[0]
    unsteered, _ = train_chunk(
        trainer.branch.agent,
        DATA[0],
        trainer.branch.spec.build_weights(),
        trainer.branch.kept.states[0],
        first.step,
        16,
    )
    assert state_hash(unsteered) != first.state_sha256


def test_a_loaded_session_goes_on_as_the_first_would(make, tmp_path):
    trainer = make()
    trainer.step(20)
    trainer.wait(120.0)
    trainer.set(sc=0.0)
    trainer.fork(10, "second")
    trainer.step(9)
    trainer.wait(120.0)
    trainer.set(lr=1e-3)  # waits for an update that has not come, so it is not on record
    trainer.save(tmp_path / "session.json")
    trainer.reset()
    loaded = Trainer.load(tmp_path / "session.json", data=DATA, name="loaded")
    assert loaded.selected == "second"
    assert (loaded.branch.parent, loaded.branch.forked_at, loaded.branch.step) == ("main", 10, 19)
    for each in (trainer, loaded):
        each.step(11)
        each.result(120.0)
    loaded.stop()
    for name, branch in trainer.branches.items():
        assert state_hash(branch.state) == state_hash(loaded.branches[name].state)
        assert branch.interventions == loaded.branches[name].interventions


@pytest.fixture(name="session")
def fixture_session(make, tmp_path) -> Path:
    """A session of a toy with its own data, as the command line will load it."""
    trainer = make(data=None)
    trainer.step(15)
    trainer.wait(120.0)
    trainer.set(sc=0.0, gamma=0.5)
    trainer.step(15)
    trainer.wait(120.0)
    trainer.save(tmp_path / "session.json")
    write_run(tmp_path, trainer.branch)
    return tmp_path / "session.json"


def test_the_command_compares_bits(session, capsys):
    run = next(session.parent.glob("*/spec.json")).parent
    for file in (session, run):
        assert Replay(file, json=True).run() == 0
        (row,) = json.loads(capsys.readouterr().out)
        assert (row["updates"], row["interventions"], row["equal"]) == (30, 2, True)
        assert row["state_sha256"] == Session.load(file).branches[0].state_sha256
    value = json.loads(session.read_text())
    value["branches"][0]["interventions"][0]["step"] = 14
    session.write_text(json.dumps(value))
    assert Replay(session).run() == 1
    assert "not equal" in capsys.readouterr().out
    with pytest.raises(UnknownNameError, match="unknown branch 'mein': did you mean main"):
        Replay(session, branch="mein").run()


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda text: text[: len(text) // 2], "is not a session, or it is damaged"),
        (lambda text: "[]", "is not a session"),
        (lambda text: text.replace('"format": 1', '"format": 99'), "has format 99"),
        (lambda text: text.replace('"old": 10.0', '"old": 11.0'), "the interventions are not whole: at update 15"),
        (lambda text: text.replace('"new": 0.5', '"new": 7.5'), "gamma must be a number between 0 and 1"),
        (lambda text: text.replace('"kind": "toy"', '"kind": "official"'), "is of official data .*, not of toy data"),
    ],
)
def test_damaged_sessions_are_refused(session, damage, sentence):
    session.write_text(damage(session.read_text()))
    with pytest.raises(WorkbenchError, match=sentence):
        Replay(session).run()


def test_a_missing_session_is_one_sentence(tmp_path):
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(WorkbenchError, match="there is no session"):
            Session.load(path)


def test_jsonl_holds_every_bit(tmp_path):
    write_jsonl(tmp_path / "interventions.jsonl", MOVES)
    assert read_jsonl(tmp_path / "interventions.jsonl") == MOVES
    assert read_jsonl(tmp_path / "none.jsonl") == []
    (tmp_path / "cut.jsonl").write_text('{"step": 1, "na')
    with pytest.raises(WorkbenchError, match=r"cut\.jsonl is damaged"):
        read_jsonl(tmp_path / "cut.jsonl")
    with pytest.raises(WorkbenchError, match="40 comes too late"):
        from_records(to_records([MOVES[3], MOVES[1]]))
    with pytest.raises(WorkbenchError, match="needs step, name, old and new"):
        from_records([{"step": 3}])


@given(st.integers(0, 100), st.integers(0, 100))
def test_stretches_cover_the_way_with_the_settings_in_force(first, length):
    until_step, at = first + length, first
    for settings, end in stretches(START, MOVES, first, until_step):
        assert end >= at
        for step in range(at, end):
            assert settings == apply(START, [each for each in MOVES if each.step <= step])
        at = end
    assert at == until_step
