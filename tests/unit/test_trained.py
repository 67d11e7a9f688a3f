"""A trained run in the hand: what it tells of its newest checkpoint, and the episodes that it plays."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from tests.unit.recorded import made_up
from workbench.data.dataset import Provenance
from workbench.data.load import example_of
from workbench.errors import NoGraphicsError
from workbench.evaluate.cell import Cell
from workbench.evaluate.envs import episode_seed, make_env, reset
from workbench.evaluate.evaluation import Evaluation, evaluate
from workbench.live import trained
from workbench.live.thread import Halted
from workbench.live.trained import Explorable, TrainedRun
from workbench.render import Filmed
from workbench.render.maze import maze_tables
from workbench.store.folder import RunFolder
from workbench.store.spec import make_spec
from workbench.train import init_seeds

TASK = "cube-single-play-singletask-task2-v0"
OBS, ACT, LENGTH = 28, 5, 6
SHORT: dict[str, Any] = {"episode_limit": LENGTH, "record": 4, "workers": 1, "progress": False}


def untrained(root: Path, task: str) -> RunFolder:
    """A run folder of two seeds that holds their states of update 0."""
    spec = make_spec(
        task,
        Provenance("arrays", "none"),
        preset_name="small",
        seeds=(0, 1),
        steps=2,
        settings={"width": 8, "depth": 1},
    )
    folder = RunFolder.create(root, spec)
    folder.save(init_seeds(spec.build_agent(), example_of(task), spec.seeds), 0)
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
    assert run.table[["m_inf", "n", "success", "episodes"]].to_numpy().tolist() == [[2, 1, 0.2, 10], [2, 3, 0.6, 10]]
    assert isinstance(run, Explorable)
    assert (run.m_inf, run.n) == ((1, 2, 4, 8, 16), (1, 3, 4, 16, 32))
    cost = run.cost(Cell(2, 3))
    assert cost is not None
    assert (cost.actor_evaluations, cost.critic_evaluations) == (6, 6)
    assert run.milliseconds(Cell(1, 1)) > 0
    x = np.linspace(-1, 1, OBS, dtype=np.float32)
    one, many = (run.judge(x, Cell(2, n), seed=0) for n in (1, 16))
    assert one.candidates.shape == (32, ACT)
    np.testing.assert_array_equal(one.q, many.q)
    np.testing.assert_array_equal(one.action, one.candidates[0])
    np.testing.assert_array_equal(many.action, many.candidates[many.q[:16].argmax()])
    halves = run.judge(x, Cell(2, 2, "elite:1"), seed=0)
    np.testing.assert_allclose(halves.action, halves.candidates[:2].mean(axis=0), atol=1e-6)
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


def no_film(source: Path, out: Path) -> Filmed:
    """Rendering where there is none."""
    raise NoGraphicsError("there is no OpenGL here.")


def test_an_episode_is_watched_and_filmed_where_there_is_graphics(run, monkeypatch):
    def play(policy, task, cells, *, first_episode, **settings) -> Evaluation:
        keys = jax.random.split(jax.random.key(first_episode), (1, 1, 1))
        for i in range(LENGTH):
            policy(jnp.full((1, 1, 1, OBS), float(i)), keys)
        return Evaluation([], [made_up(LENGTH, ACT, m_inf=cells[0].m_inf, n=cells[0].n)])

    def film(source: Path, out: Path) -> Filmed:
        assert source.exists()
        (out / "film.mp4").write_bytes(b"film")
        return Filmed(out / "film.mp4", out / "film_sheet.png", out / "film_scrub.npz")

    monkeypatch.setattr(trained, "evaluate_policy", play)
    monkeypatch.setattr(trained, "render_rollouts", film)
    played = run.play(Cell(1, 2), 3)
    assert (played.video, played.note) == (b"film", "")
    np.testing.assert_array_equal(played.observations[:, 0], np.arange(LENGTH))
    monkeypatch.setattr(trained, "render_rollouts", no_film)
    assert run.play(Cell(1, 2), 3).note == "no video: there is no OpenGL here."
    with pytest.raises(Halted):
        run.play(Cell(1, 2), 3, lambda: False)
