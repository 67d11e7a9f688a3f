"""The compute explorer without a browser: what a trained run tells, and when episodes are played."""

import io
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from workbench.cost import DecisionCost
from workbench.data.catalogue import parse_task
from workbench.data.dataset import Provenance
from workbench.errors import NoGraphicsError, WorkbenchError
from workbench.evaluate.cell import Cell
from workbench.evaluate.envs import episode_seed, make_env, reset
from workbench.evaluate.evaluation import Evaluation, evaluate
from workbench.evaluate.rollout import Rollout
from workbench.live import compute_explorer, trained
from workbench.live.compute_explorer import ComputeExplorer
from workbench.live.compute_picture import Scene, draw
from workbench.live.dial import Names
from workbench.live.thread import Halted
from workbench.live.trained import Explorable, Judged, Played, TrainedRun
from workbench.render.maze import maze_tables
from workbench.store.folder import RunFolder
from workbench.store.spec import make_spec
from workbench.train import init_seeds
from workbench.types import Batch

TASK = "cube-single-play-singletask-task2-v0"
OBS, ACT, LENGTH = 28, 5, 6
SHORT: dict[str, Any] = {"episode_limit": LENGTH, "record": 4, "workers": 1, "progress": False}


def rollout(cell: Cell, succeeded: bool = True) -> Rollout:
    """A made-up episode."""
    rng = np.random.default_rng(0)
    q = rng.normal(size=(LENGTH, cell.n))
    return Rollout(
        task=TASK,
        success_timing="post",
        seed=0,
        episode=0,
        cell=cell,
        qpos=np.zeros((LENGTH + 1, 3)),
        qvel=np.zeros((LENGTH + 1, 3)),
        button_states=None,
        actions=rng.uniform(-1, 1, (LENGTH, ACT)),
        reward=-np.ones(LENGTH),
        success=np.arange(LENGTH) == LENGTH - 1 if succeeded else np.zeros(LENGTH, bool),
        q=q.max(axis=1),
        candidates=rng.uniform(-1, 1, (LENGTH, cell.n, ACT)),
        q_candidates=q,
    )


class FakeRun:
    """A trained run whose episodes are made up; `gate` holds them back, `asked` lists them."""

    name = "SORL (small) on cube"
    m_inf, n = (1, 2, 8), (1, 4)

    def __init__(self) -> None:
        rows = [(1, 1, 0.2, 0.05, 0.5), (1, 4, 0.6, 0.3, 0.8), (2, 1, 0.4, 0.2, 0.7), (2, 4, 0.8, 0.5, 0.95)]
        self.table = pd.DataFrame(rows, columns=["m_inf", "n", "success", "low", "high"]).assign(episodes=10)
        self.asked: list[tuple[Cell, int]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.playing = False
        self.measured: list[tuple[Cell, bool]] = []

    def cost(self, cell: Cell) -> DecisionCost | None:
        return DecisionCost(cell.m_inf, cell.n, cell.m_inf * cell.n, 2 * cell.n, 1e-3 * cell.n * (cell.m_inf + 2))

    def milliseconds(self, cell: Cell) -> float:
        self.measured.append((cell, self.playing))
        return 0.1 * cell.m_inf

    def judge(self, x: np.ndarray, cell: Cell, seed: int) -> Judged:
        rng = np.random.default_rng(seed)
        return Judged(rng.uniform(-1, 1, (4, ACT)), rng.normal(size=4), cell.n)

    def play(self, cell: Cell, episode: int, wanted: Callable[[], bool]) -> Played:
        self.asked.append((cell, episode))
        self.playing = True
        try:
            while not self.gate.wait(0.005):
                if not wanted():
                    raise Halted("given up.")
        finally:
            self.playing = False
        if episode == 13:
            raise WorkbenchError("episode 13 cannot be played.")
        return Played(rollout(cell), np.zeros((LENGTH, OBS)), b"video %d" % episode)

    def video(self) -> bytes | None:
        return b"an old video"


@pytest.fixture(name="explorer")
def fixture_explorer() -> Iterator[ComputeExplorer]:
    made = ComputeExplorer(FakeRun())
    yield made
    made.close()


def fake(explorer: ComputeExplorer) -> FakeRun:
    """The made-up run that an explorer shows."""
    assert isinstance(explorer.run, FakeRun)
    return explorer.run


def test_a_budget_tells_what_it_buys_and_costs(explorer):
    explorer.set(m_inf=2, n=4)
    explorer.result(60.0)
    told = explorer.numbers.value
    assert "80 %, 49 to 94 (95 % Wilson interval over episodes, n = 10)" in told
    assert "0.20 ms a decision, here" in told
    assert "16.0 MFLOP a decision, 5.3 times M_inf 1, N 1; evaluations: 8 of the actor, 8 of the critics" in told
    assert "success in 6 steps" in told
    explorer.set(m_inf=8)
    explorer.result(60.0)
    assert "not evaluated with this budget" in explorer.numbers.value
    assert Image.open(io.BytesIO(explorer.picture.value)).size[0] > 800


def test_candidates_are_the_episodes_own_where_it_was_played_with_the_budget(explorer, monkeypatch):
    scenes: list[Scene] = []
    monkeypatch.setattr(compute_explorer, "draw", lambda scene: scenes.append(scene) or draw(scene))
    explorer.set(step=2)
    explorer.result(60.0)
    played, judged = explorer.played, scenes[-1].judged
    assert played is not None
    assert judged is not None
    np.testing.assert_array_equal(judged.candidates, played.rollout.candidates[2])
    np.testing.assert_array_equal(judged.q, played.rollout.q_candidates[2])
    assert draw(scenes[-1]).axes[1].get_title(loc="left") == "4 candidates at step 2"
    fake(explorer).gate.clear()
    explorer.set(m_inf=1)
    assert wait(lambda: scenes[-1].selected == (1, 4))
    assert draw(scenes[-1]).axes[1].get_title(loc="left") == "4 candidates, drawn anew, at step 2"
    fake(explorer).gate.set()


def test_a_decision_is_timed_while_no_episode_is_played(explorer):
    run = fake(explorer)
    explorer.result(60.0)
    run.gate.clear()
    explorer.set(m_inf=1)
    assert wait(lambda: "measured when no episode is being played" in explorer.numbers.value)
    run.gate.set()
    explorer.result(60.0)
    assert "0.10 ms a decision, here" in explorer.numbers.value
    assert run.measured == [(Cell(8, 4), False), (Cell(1, 4), False)]


def test_sliders_pictures_and_video_have_names(explorer):
    names = next(each.names for each in explorer.children if isinstance(each, Names))
    for slider in (explorer.m_inf, explorer.n, explorer.step):
        (mark,) = slider._dom_classes
        assert names[f".{mark} [role=slider]"] == slider.description
    assert {"img", "video"} <= set(names)
    assert "workbench-controls" in explorer._dom_classes


def test_the_next_episode_is_played_while_the_last_is_watched(explorer):
    run, cell = fake(explorer), Cell(8, 4)
    explorer.result(60.0)
    assert run.asked == [(cell, 0), (cell, 1)]
    assert explorer.video.value == b"video 0"
    run.gate.clear()
    explorer.next.click()
    assert wait(lambda: explorer.video.value == b"video 1")
    run.gate.set()
    explorer.result(60.0)
    assert run.asked == [(cell, 0), (cell, 1), (cell, 2)]
    assert "the next is played already" in explorer.status.value


def test_a_next_that_is_being_played_is_not_begun_again(explorer):
    run, cell = fake(explorer), Cell(8, 4)
    explorer.result(60.0)
    run.gate.clear()
    explorer.set(episode=1)
    assert wait(lambda: run.asked[-1] == (cell, 2))
    explorer.set(episode=2)
    run.gate.set()
    explorer.result(60.0)
    assert run.asked == [(cell, 0), (cell, 1), (cell, 2), (cell, 3)]
    assert explorer.video.value == b"video 2"


def test_another_budget_gives_up_what_is_being_played(explorer):
    run = fake(explorer)
    explorer.result(60.0)
    run.gate.clear()
    explorer.set(m_inf=1)
    assert wait(lambda: run.asked[-1] == (Cell(1, 4), 0))
    explorer.set(m_inf=2)
    run.gate.set()
    explorer.result(60.0)
    assert run.asked[-2:] == [(Cell(2, 4), 0), (Cell(2, 4), 1)]
    assert explorer.played is not None
    assert explorer.played.rollout.cell == Cell(2, 4)


def test_what_goes_wrong_is_shown_and_raised(explorer):
    explorer.set(episode=13)
    with pytest.raises(WorkbenchError, match="episode 13 cannot be played"):
        explorer.result(60.0)
    assert "episode 13 cannot be played." in explorer.status.value
    with pytest.raises(WorkbenchError, match="n must be one of 1, 4, not 3"):
        explorer.set(m_inf=1, n=3)
    with pytest.raises(WorkbenchError, match="there is no slider 'm': choose of m_inf, n, episode, step"):
        explorer.set(m=3)
    assert explorer.cell == Cell(8, 4)


def wait(condition: Callable[[], bool]) -> bool:
    """Whether a condition comes to hold."""
    ticks = threading.Event()
    return any(condition() or ticks.wait(0.005) for _ in range(12_000))


def untrained(root: Path, task: str) -> RunFolder:
    """A run folder of two seeds that holds their states of update 0."""
    info, _ = parse_task(task)
    spec = make_spec(
        task,
        Provenance("arrays", "none"),
        preset_name="small",
        seeds=(0, 1),
        steps=2,
        settings={"width": 8, "depth": 1},
    )
    x, a, zero = jnp.zeros(info.obs), jnp.zeros(info.act), jnp.zeros(())
    example = Batch(x=x, a=a, r=zero, x_next=x, mask=zero, a_next=a)
    folder = RunFolder.create(root, spec)
    folder.save(init_seeds(spec.build_agent(), example, spec.seeds), 0)
    return folder


@pytest.fixture(name="run")
def fixture_run(tmp_path: Path) -> TrainedRun:
    """A run folder whose newest state is untrained, with evaluations of two checkpoints."""
    folder = untrained(tmp_path, TASK)
    rows = {"task": TASK, "verifier": "mean", "success_timing": "post", "return": -1.0, "length": 5, "act_ms": 0.3}
    many = [
        rows | {"step": step, "seed": seed, "m_inf": 2, "n": n, "episode": i, "success": (i < n and step == 0)}
        for step in (0, -1)
        for seed in (0, 1)
        for n in (1, 3)
        for i in range(5)
    ]
    folder.add_evals(pd.DataFrame(many))
    return TrainedRun(folder.path.name[:6], root=tmp_path)


def test_a_run_tells_of_its_newest_checkpoint(run):
    assert isinstance(run, Explorable)
    assert (run.m_inf, run.n) == ((1, 2, 4, 8, 16), (1, 3, 4, 16, 32))
    assert run.table[["m_inf", "n", "success", "episodes"]].to_numpy().tolist() == [[2, 1, 0.2, 10], [2, 3, 0.6, 10]]
    cost = run.cost(Cell(2, 3))
    assert cost is not None
    assert (cost.actor_evaluations, cost.critic_evaluations) == (6, 6)
    assert run.milliseconds(Cell(1, 1)) > 0
    x = np.linspace(-1, 1, OBS, dtype=np.float32)
    one, many = (run.judge(x, Cell(2, n), seed=0) for n in (1, 16))
    assert one.candidates.shape == (32, ACT)
    np.testing.assert_array_equal(one.q, many.q)
    assert (one.chosen, many.chosen) == (0, int(many.q[:16].argmax()))
    assert run.video() is None


def test_an_episode_is_the_one_that_was_evaluated_and_its_goal_is_drawn(tmp_path, monkeypatch):
    """In a maze each episode has a goal of its own, which film and tables find again from its number."""
    monkeypatch.setattr(trained, "render_rollouts", no_film)
    task, number = "pointmaze-medium-navigate-singletask-task1-v0", 3
    run = TrainedRun(untrained(tmp_path, task), episode_limit=LENGTH)
    played = run.play(Cell(2, 3), number)
    env = make_env(task).unwrapped
    x = reset(env, episode_seed(0, run.spec.seeds[0], number))
    np.testing.assert_array_equal(played.observations[0], x.astype(np.float32))
    assert (played.rollout.episode, played.rollout.length) == (number, LENGTH)
    drawn = maze_tables([played.rollout])["episodes"].iloc[0]
    np.testing.assert_array_equal([drawn["goal_x"], drawn["goal_y"]], env.cur_goal_xy)
    found = evaluate(run.agent, run.state, task, [Cell(2, 3)], seeds=run.spec.seeds[:1], episodes=4, **SHORT)
    np.testing.assert_allclose(played.rollout.candidates, found.rollouts[number].candidates, rtol=1e-4, atol=1e-5)


def no_film(source: Path, out: Path) -> dict[str, Path]:
    """Rendering where there is none."""
    raise NoGraphicsError("there is no OpenGL here.")


def test_an_episode_is_watched_and_filmed_where_there_is_graphics(run, monkeypatch):
    def play(policy, task, cells, *, first_episode, **settings) -> Evaluation:
        keys = jax.random.split(jax.random.key(first_episode), (1, 1, 1))
        for i in range(LENGTH):
            policy(jnp.full((1, 1, 1, OBS), float(i)), keys)
        return Evaluation([], [rollout(cells[0])])

    def film(source: Path, out: Path) -> dict[str, Path]:
        assert source.exists()
        (out / "film.mp4").write_bytes(b"film")
        return {"video": out / "film.mp4"}

    monkeypatch.setattr(trained, "evaluate_policy", play)
    monkeypatch.setattr(trained, "render_rollouts", film)
    played = run.play(Cell(1, 2), 3)
    assert (played.video, played.note) == (b"film", "")
    np.testing.assert_array_equal(played.observations[:, 0], np.arange(LENGTH))
    monkeypatch.setattr(trained, "render_rollouts", no_film)
    assert run.play(Cell(1, 2), 3).note == "no video: there is no OpenGL here."
    with pytest.raises(Halted):
        run.play(Cell(1, 2), 3, lambda: False)
