"""Walls, paths and goals of maze rollouts as tables, for figures that know no environment."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Int

from workbench.data.catalogue import parse_task
from workbench.errors import WorkbenchError
from workbench.evaluate.envs import episode_seed, make_env, reset
from workbench.evaluate.rollout import Rollout

MAZES = ("pointmaze", "antmaze", "humanoidmaze", "antsoccer")


def maze_walls(maze: Int[np.ndarray, "_ _"], unit: float = 4.0) -> pd.DataFrame:
    """Rectangles that cover the walls of a maze map (1 is wall): x, y of the lower left corner, width, height.

    Rows and columns of the map are y and x, its cell (1, 1) is centred on the origin, and `unit` is the side of a cell,
    as OGBench has it. Each rectangle is a run of wall cells in one row.
    """
    rows = []
    for i, cells in enumerate(np.asarray(maze) == 1):
        edges = np.flatnonzero(np.diff([0, *cells.astype(int), 0]))
        rows += [(j, i, end - j) for j, end in zip(edges[::2], edges[1::2], strict=True)]
    corner, shape = np.array(rows, float).reshape(-1, 3)[:, :2], np.array(rows, float).reshape(-1, 3)[:, 2]
    low = unit * (corner - 1.5)
    return pd.DataFrame({"x": low[:, 0], "y": low[:, 1], "width": unit * shape, "height": unit})


def in_maze(task: str) -> bool:
    """Whether a task's scene is a maze; raises `WorkbenchError` for a name that is no task."""
    return parse_task(task)[0].family in MAZES


def maze_tables(rollouts: Sequence[Rollout]) -> dict[str, pd.DataFrame]:
    """Tables of the rollouts of one maze task, for `plots.maze.maze_view`; distances are the simulator's.

    `walls` as above. `paths`: rollout, step, x, y, one row a state. `episodes`: one row a rollout: task,
    seed, episode, m_inf, n, success, length, goal_x, goal_y. Goals are found again from the episodes' seeds, which
    takes the evaluation's `key_seed` to be its default. Raises `WorkbenchError` for a task without a maze.
    """
    task = rollouts[0].task
    if not in_maze(task) or any(rollout.task != task for rollout in rollouts):
        raise WorkbenchError(f"{task} has no maze to draw from above: give rollouts of one maze task.")
    env = make_env(task).unwrapped
    starts = sorted({(rollout.seed, rollout.episode) for rollout in rollouts})
    goals = {}
    for start in starts:
        reset(env, episode_seed(0, *start))
        goals[start] = np.array(env.cur_goal_xy)
    return {
        "walls": maze_walls(env.maze_map, env._maze_unit),
        "paths": pd.concat([_path(i, rollout) for i, rollout in enumerate(rollouts)], ignore_index=True),
        "episodes": pd.DataFrame([_episode(i, r, goals[r.seed, r.episode]) for i, r in enumerate(rollouts)]),
    }


def _path(number: int, rollout: Rollout) -> pd.DataFrame:
    x, y = rollout.qpos[:, :2].T
    return pd.DataFrame({"rollout": number, "step": np.arange(len(x)), "x": x, "y": y})


def _episode(number: int, rollout: Rollout, goal: np.ndarray) -> dict[str, object]:
    return {
        "rollout": number,
        "task": rollout.task,
        "seed": rollout.seed,
        "episode": rollout.episode,
        "m_inf": rollout.cell.m_inf,
        "n": rollout.cell.n,
        "success": rollout.succeeded,
        "length": rollout.length,
        "goal_x": float(goal[0]),
        "goal_y": float(goal[1]),
    }
