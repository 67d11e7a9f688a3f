"""Success while training goes on: where it is entered, that training does not feel it, and what ends with what."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.live_trainers import SMALL, hand, until
from workbench.data.dataset import Dataset, Provenance
from workbench.errors import WorkbenchError
from workbench.evaluate.cell import Cell
from workbench.evaluate.evaluation import evaluate
from workbench.live.controls import Controls
from workbench.live.evaluations import EVERY
from workbench.live.history import History
from workbench.live.panels import PANELS
from workbench.live.publish import Changes
from workbench.live.trainer import Trainer
from workbench.store.checkpoint import state_hash

MAZE = "pointmaze-medium-navigate-singletask-task1-v0"
LIMIT = 12
Maker: TypeAlias = Callable[..., Trainer]


def maze_data() -> Dataset:
    """Rows of the maze's shapes."""
    rng = np.random.default_rng(0)
    x, a = (rng.uniform(-1, 1, (64, 2)) for _ in range(2))
    valid = np.arange(64) % 16 != 15
    return Dataset.build(x, a, -np.ones(64), np.ones(64), valid, Provenance("arrays", "maze"))


DATA = maze_data()


@pytest.fixture(name="make")
def fixture_make() -> Iterator[Maker]:
    made: list[Trainer] = []

    def small(task: str = MAZE) -> Trainer:
        data = (DATA, DATA) if task == MAZE else None
        made.append(Trainer(task, settings=SMALL, batch_size=16, data=data, name=f"evaluated {len(made)}"))
        made[-1].evaluations.episode_limit = LIMIT
        return made[-1]

    yield small
    for trainer in made:
        trainer.stop()


def trained(make: Maker, updates: int) -> Trainer:
    """A trainer that has come to rest after so many updates."""
    trainer = make()
    trainer.step(updates)
    assert trainer.wait(120.0)
    return trainer


def evaluated(trainer: Trainer) -> list[float]:
    """Updates that have a success."""
    columns = trainer.branch.history.all()
    return columns["step"][np.isfinite(columns.get("success", np.full_like(columns["step"], np.nan)))].tolist()


def pids(trainer: Trainer) -> list[int]:
    """Processes of the environments."""
    pool = trainer.evaluations._arena._pool
    return pool.pids if pool else []


def alive(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def test_success_stands_at_the_update_that_was_evaluated(make):
    trainer = make()
    trainer.start()
    until(lambda: trainer.branch.step > 20)
    found = trainer.evaluate(episodes=3)
    columns = trainer.branch.history.all()
    (row,) = np.flatnonzero(np.isfinite(columns["success"]))
    assert (found.n, found.value) == (3, columns["success"][row])
    assert found.low == pytest.approx(columns["success_low"][row])
    assert found.high == pytest.approx(columns["success_high"][row])
    assert np.isfinite(columns["loss_fm"][row])  # the row of that update, not one of its own
    assert trainer.branch.step > columns["step"][row] > 20  # training went on meanwhile
    assert (np.diff(columns["step"]) > 0).all()
    assert f"update {int(columns['step'][row]):,}, M_inf 4, N 1, min: success" in trainer.evaluations.note


def test_training_does_not_feel_it(make):
    alone, beside = make(), make()
    beside.evaluating = 0.01
    for trainer in (alone, beside):
        trainer.start(300)
        trainer.result(120.0)
    beside.evaluate(episodes=1)
    assert evaluated(beside)
    assert state_hash(alone.branch.state) == state_hash(beside.branch.state)
    assert alone.branch.interventions == beside.branch.interventions == []


def test_episodes_are_those_of_any_evaluation(make):
    trainer = trained(make, 5)
    trainer.set(m_inf=2, n=3)
    branch = trainer.branch
    settings = {"episodes": 3, "workers": 1, "episode_limit": LIMIT, "progress": False}
    plain = evaluate(branch.agent, branch.state, MAZE, [Cell(2, 3)], seeds=(0,), **settings)
    found, again = (trainer.evaluate(episodes=3) for _ in range(2))
    assert found == again
    assert found.value == np.mean([row["success"] for row in plain.rows])


def test_rounds_come_by_themselves_and_once_more_at_the_end(make):
    trainer = make()
    trainer.evaluations.episodes = 2
    trainer.evaluating = 0.05
    trainer.start()
    until(lambda: len(evaluated(trainer)) >= 3)
    trainer.pause()
    until(lambda: trainer.branch.step in evaluated(trainer))
    count = len(evaluated(trainer))
    trainer.evaluating = None
    trainer.step(5)
    trainer.wait(120.0)
    assert len(evaluated(trainer)) == count


def test_every_branch_that_trains_is_evaluated(make):
    trainer = trained(make, 5)
    trainer.fork(name="rests")
    trainer.activate("rests", active=False)
    trainer.fork(name="second", branch="main")
    trainer.evaluating = 0.05
    trainer.start(20)
    trainer.wait(120.0)
    until(lambda: all("success" in trainer.branches[name].history.names for name in ("main", "second")))
    assert "success" not in trainer.branches["rests"].history.names


def test_workers_are_kept_and_end_with_the_trainer(make):
    trainer = trained(make, 3)
    trainer.evaluate(episodes=2)
    first = pids(trainer)
    trainer.evaluate(episodes=2)
    assert first
    assert pids(trainer) == first
    trainer.stop()
    assert not any(alive(pid) for pid in first)
    trainer.evaluate(episodes=2)
    others = pids(trainer)
    trainer.stop(wait=False)
    until(lambda: not any(alive(pid) for pid in others))


def test_stop_gives_up_what_is_played(make):
    trainer = trained(make, 3)
    trainer.evaluations.episode_limit = 10**6
    future = trainer.evaluate(episodes=2, wait=False)
    until(lambda: pids(trainer))
    trainer.stop()
    assert future.done()
    assert "given up" in trainer.evaluations.note
    assert not pids(trainer)


def test_a_rewound_branch_is_another(make, monkeypatch):
    trainer = trained(make, 10)
    before, after = threading.Event(), threading.Event()

    def held(self, *_):
        before.set()
        after.wait(120.0)
        return [{"success": True}]

    monkeypatch.setattr("workbench.live.evaluations.Arena.play", held)
    future = trainer.evaluate(wait=False)
    assert before.wait(120.0)
    trainer.rewind(4)
    trainer.step(10)
    trainer.wait(120.0)
    after.set()
    assert future.result(120.0).value == 1.0
    assert evaluated(trainer) == []


def test_failures_are_one_sentence_and_end_the_rounds(make):
    trainer = trained(make, 3)
    trainer.evaluations.episodes = 1
    trainer.evaluating = 1000.0
    until(lambda: "], episodes: 1." in trainer.evaluations.note)
    for pid in pids(trainer):
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(WorkbenchError, match="ended unexpectedly"):
        trainer.evaluate(episodes=1)
    panel = Controls(trainer)
    assert "ended unexpectedly with exit code -9" in panel.shown["success"]
    assert "\n" not in trainer.evaluations.note
    assert trainer.evaluating is None
    assert trainer.evaluate(episodes=1).n == 1


def test_what_cannot_be_evaluated_is_told(make):
    toy = make("toy:eight_gaussians")
    with pytest.raises(WorkbenchError, match="toy:eight_gaussians has no environment to play in"):
        toy.evaluate()
    with pytest.raises(WorkbenchError, match="no environment"):
        toy.evaluating = 10.0
    maze = make()
    with pytest.raises(WorkbenchError, match="at least one episode, not 0"):
        maze.evaluate(episodes=0)
    with pytest.raises(WorkbenchError, match="cannot come every"):
        maze.evaluating = 0.0


def test_the_panel_evaluates(make):
    trainer = trained(make, 3)
    panel = Controls(trainer)
    assert (panel.shown["evaluating"], panel.shown["episodes"]) == (False, 10)
    assert hand(panel, "episodes", count="0") == "'episodes' must be a whole number between 1 and 1,000, not '0'."
    hand(panel, "episodes", count="2")
    hand(panel, "evaluate")
    until(lambda: "], episodes: 2." in panel.shown["success"])
    hand(panel, "evaluating", on=True)
    assert trainer.evaluating == EVERY
    trainer.evaluating = None
    until(lambda: panel.shown["evaluating"] is False)


def test_the_panel_of_a_toy_offers_no_success(make):
    assert not Controls(make("toy:eight_gaussians")).offered["environment"]
    assert Controls(make()).offered["environment"]


def test_a_view_is_sent_success_with_its_interval(make):
    trainer = trained(make, 8)
    changes = Changes(trainer)
    changes.message()
    trainer.evaluate(episodes=2)
    message = changes.message()
    assert message is not None
    (part,) = message.head["branches"]
    (panel,) = (panel for panel in PANELS if panel.line == "success")
    assert part["fresh"]
    assert {panel.line, panel.dots, *(panel.band or ())} <= {*part["columns"]}


@given(st.lists(st.integers(0, 40), max_size=12), st.lists(st.integers(0, 50), max_size=5))
def test_histories_take_in_earlier_updates_in_order(steps, late):
    history = History()
    for step in sorted(steps):
        history.append(step, {"loss": float(step)})
    for step in late:
        former = history.all()
        history = history.including(step, {"success": step / 100})
        now = history.all()
        assert (np.diff(now["step"]) >= 0).all()
        assert len(history) == len(former["step"]) + (step not in former["step"])
        assert now["success"][now["step"] == step].tolist()[-1] == pytest.approx(step / 100)
        assert now.get("loss", np.zeros(0))[np.isfinite(now.get("loss", np.zeros(0)))].tolist() == sorted(steps)
    history.append(100, {"loss": 0.0})
    assert history.all()["step"][-1] == 100
