"""The maze from above: walls where the environment has them, every path, its outcome, and goals."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba

from tests.unit.recorded import decided, made_up
from workbench.errors import WorkbenchError
from workbench.evaluate.envs import episode_seed, make_env, physics, reset
from workbench.evaluate.rollout import Rollout
from workbench.plots.maze import STYLES, maze_view
from workbench.plots.scaling import budget
from workbench.render.maze import in_maze, maze_tables, maze_walls

TASK = "pointmaze-medium-navigate-singletask-task1-v0"


def walk(episode: int, m_inf: int, steps: int) -> Rollout:
    """An episode led by the shortest path."""
    env = make_env(TASK).unwrapped
    reset(env, episode_seed(0, 0, episode))
    states = [physics(env)]
    done = False
    while len(states) <= steps and not done:
        direction = env.get_oracle_subgoal(env.get_xy(), env.cur_goal_xy)[0] - env.get_xy()
        done = env.step((direction / (np.linalg.norm(direction) + 1e-6)).astype(np.float32))[2]
        states.append(physics(env))
    stacked = {name: np.stack([state[name] for state in states]) for name in states[0]}
    return decided(stacked, 2, task=TASK, episode=episode, m_inf=m_inf, succeeds=bool(done))


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    """Three episodes that arrive and two that are cut short."""
    return maze_tables([walk(e, 4, 1000) for e in range(3)] + [walk(e, 1, 30) for e in range(2)])


def test_walls_are_runs_of_wall_cells():
    walls = maze_walls(np.array([[1, 1, 1], [1, 0, 1]]), unit=4.0)
    assert walls.to_dict("list") == {
        "x": [-6.0, -6.0, 2.0],
        "y": [-6.0, -2.0, -2.0],
        "width": [12.0, 4.0, 4.0],
        "height": [4.0, 4.0, 4.0],
    }


def test_walls_are_those_of_the_simulator(tables):
    env = make_env(TASK).unwrapped
    reset(env, 0)
    model, walls = env.model, tables["walls"]
    boxes = [i for i in range(model.ngeom) if (model.geom(i).type == 6).all() and model.geom(i).size[0] == 2.0]
    for i in boxes:
        x, y, _ = model.geom(i).pos
        inside = (walls["x"] < x) & (x < walls["x"] + walls["width"])
        assert (inside & (walls["y"] < y) & (y < walls["y"] + walls["height"])).sum() == 1
    assert walls["width"].sum() * 4.0 == 16.0 * (env.maze_map == 1).sum() == 16.0 * len(boxes)


def test_paths_stay_out_of_walls_and_end_at_the_goal(tables):
    walls, paths, episodes = tables["walls"], tables["paths"], tables["episodes"]
    for row in walls.to_dict("records"):
        inside = paths["x"].between(row["x"], row["x"] + row["width"])
        assert not (inside & paths["y"].between(row["y"], row["y"] + row["height"])).any()
    assert episodes["success"].tolist() == [True] * 3 + [False] * 2
    last = paths.groupby("rollout")[["x", "y"]].last().to_numpy()
    distance = np.linalg.norm(last - episodes[["goal_x", "goal_y"]].to_numpy(), axis=1)
    assert (distance[:3] < 1.5).all()
    assert (distance[3:] > 1.5).all()
    assert paths.groupby("rollout").size().tolist() == (episodes["length"] + 1).tolist()


def test_every_path_is_drawn_by_its_outcome(tables):
    figure = maze_view(**tables, title="a title")
    assert len(figure.axes) == 2
    drawn: dict[tuple[str, Any], int] = {}
    for axes in figure.axes:
        for lines in (each for each in axes.collections if isinstance(each, LineCollection)):
            colour = tuple(np.asarray(lines.get_colors())[0, :3]) if len(lines.get_segments()) else None
            drawn[axes.get_title().split(":")[0], colour] = len(lines.get_segments())
    assert drawn[budget(1, 1), to_rgba(STYLES[False][0])[:3]] == 2
    assert drawn[budget(4, 1), to_rgba(STYLES[True][0])[:3]] == 3
    assert "3 of 3 [44, 100] %" in figure.axes[1].get_title()
    assert any("Wilson" in text.get_text() for text in figure.legends[0].get_texts())


def test_a_task_without_a_maze_is_refused():
    task = "cube-single-play-singletask-task2-v0"
    assert in_maze(TASK)
    assert not in_maze(task)
    with pytest.raises(WorkbenchError, match="has no maze"):
        maze_tables([made_up(task=task)])
