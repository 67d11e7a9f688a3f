"""Point and ant mazes: a walker led through the maze by OGBench's shortest paths, with noise on its actions."""

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float, Int

from workbench.data.catalogue import DatasetInfo
from workbench.data.make.episodes import Episode, Step, seed_legacy_numpy
from workbench.data.make.expert import load_expert

Cell: TypeAlias = tuple[int, int]
Direction: TypeAlias = Float[np.ndarray, "2"]

_NOISE = {"pointmaze": 0.5, "antmaze": 0.2}
_EXPLORE_NOISE = 1.0
_EXPLORE_STEPS = 10
_STITCH_CELLS = 4


class MazeCollector:
    """The official recipe of the `navigate`, `stitch` and `explore` sets of one maze."""

    def __init__(self, info: DatasetInfo, expert: Path | None) -> None:
        import gymnasium
        import ogbench.locomaze  # noqa: F401  (registers the environments)

        self._info = info
        self._env: Any = gymnasium.make(info.env_id, terminate_at_goal=False, disable_env_checker=True).unwrapped
        self._policy = _straight if expert is None else load_expert(expert)
        self._noise = _EXPLORE_NOISE if info.kind == "explore" else _NOISE[info.family]
        self._cells = free_cells(self._env.maze_map)
        self._goals = [cell for cell in self._cells if not is_corridor(self._env.maze_map, cell)]
        self._subgoal = functools.cache(self._find_subgoal)

    def steps(self, rng: np.random.Generator) -> Iterator[Step]:
        """One episode from a random free cell; `navigate` draws a new goal whenever one is reached."""
        seed_legacy_numpy(rng)
        env = self._env
        env.action_space.seed(int(rng.integers(2**31)))
        start = _draw(self._cells, rng)
        goal = _draw(self._goals_from(start), rng)
        task = {"init_ij": start, "goal_ij": goal}
        ob, _ = env.reset(seed=int(rng.integers(2**31)), options={"task_info": task})
        direction = self._wander(rng) if self._info.kind == "explore" else self._lead()
        while True:
            clean = self._policy(env.get_ob(ob_type="states"), next(direction))
            action = np.clip(clean + rng.normal(0, self._noise, size=clean.shape), -1, 1)
            next_ob, _, _, _, info = env.step(action)
            yield ob, action, info
            ob = next_ob
            if info["success"] and self._info.kind == "navigate":
                env.set_goal(goal_xy=env.add_noise(env.ij_to_xy(_draw(self._goals, rng))))

    def accepts(self, episode: Episode) -> bool:
        """Every maze episode is kept."""
        return True

    def _goals_from(self, start: Cell) -> list[Cell]:
        if self._info.kind == "stitch":
            return cells_at(self._env.maze_map, start, _STITCH_CELLS)
        return self._goals

    def _lead(self) -> Iterator[Direction]:
        """Unit directions from where the walker is to the next cell of its shortest path."""
        env = self._env
        while True:
            xy = env.get_xy()
            yield _unit(self._subgoal(env.xy_to_ij(xy), env.xy_to_ij(env.cur_goal_xy)) - xy)

    def _find_subgoal(self, start: Cell, goal: Cell) -> Float[np.ndarray, "2"]:
        return self._env.get_oracle_subgoal(self._env.ij_to_xy(start), self._env.ij_to_xy(goal))[0]

    def _wander(self, rng: np.random.Generator) -> Iterator[Direction]:
        """Random unit directions, each held for a number of steps."""
        while True:
            direction = _unit(rng.normal(size=2))
            for _ in range(_EXPLORE_STEPS):
                yield direction


def free_cells(maze: Int[np.ndarray, "_ _"]) -> list[Cell]:
    """Cells (row, column) that are not wall, in reading order."""
    return [(int(i), int(j)) for i, j in np.argwhere(maze == 0)]


def is_corridor(maze: Int[np.ndarray, "_ _"], cell: Cell) -> bool:
    """Whether a cell can only be passed straight: free on two opposite sides, wall on the other two."""
    i, j = cell
    up, down, left, right = (maze[i + di, j + dj] for di, dj in ((-1, 0), (1, 0), (0, -1), (0, 1)))
    return bool(up == down and left == right and up != left)


def cells_at(maze: Int[np.ndarray, "_ _"], start: Cell, distance: int) -> list[Cell]:
    """Free cells whose shortest path from `start` has `distance` steps, in reading order."""
    seen, ring = {start}, {start}
    for _ in range(distance):
        near = {(i + di, j + dj) for i, j in ring for di, dj in ((-1, 0), (1, 0), (0, -1), (0, 1))}
        ring = {cell for cell in near - seen if maze[cell] == 0}
        seen |= ring
    return sorted(ring)


def _draw(cells: list[Cell], rng: np.random.Generator) -> Cell:
    return cells[rng.integers(len(cells))]


def _unit(vector: Float[np.ndarray, "2"]) -> Direction:
    return vector / (np.linalg.norm(vector) + 1e-6)


def _straight(state: np.ndarray, direction: Direction) -> Direction:
    """The point walker needs no expert: its action is its displacement."""
    return direction
