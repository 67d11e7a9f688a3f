"""The maze recipes: cells, corridors, goals at a distance, and the walking policy."""

from typing import Any

import numpy as np
import pytest

from tests.unit.experts import expert_arrays, write_expert
from workbench.data.catalogue import dataset_info
from workbench.data.make.episodes import collect_episode, episode_rng
from workbench.data.make.expert import load_expert
from workbench.data.make.maze import MazeCollector, cells_at, free_cells, is_corridor
from workbench.data.make.spec import open_collector


def test_corridors_and_cells_at_a_distance():
    maze = np.array([[1, 1, 1, 1, 1], [1, 0, 0, 0, 1], [1, 0, 1, 1, 1], [1, 1, 1, 1, 1]])
    assert free_cells(maze) == [(1, 1), (1, 2), (1, 3), (2, 1)]
    assert [cell for cell in free_cells(maze) if is_corridor(maze, cell)] == [(1, 2)]
    assert cells_at(maze, (2, 1), 3) == [(1, 3)]
    assert cells_at(maze, (2, 1), 4) == []


@pytest.mark.parametrize("size", ["medium", "large", "giant"])
def test_stitch_always_finds_a_goal_that_the_shortest_path_agrees_with(size):
    import gymnasium
    import ogbench.locomaze  # noqa: F401

    env: Any = gymnasium.make(f"pointmaze-{size}-v0").unwrapped
    for start in free_cells(env.maze_map):
        goals = cells_at(env.maze_map, start, 4)
        _, steps = env.get_oracle_subgoal(env.ij_to_xy(start), env.ij_to_xy(start))
        assert goals
        assert goals == [(int(i), int(j)) for i, j in np.argwhere(steps == 4)]


def test_an_ant_episode_does_not_depend_on_those_before_it(tmp_path):
    info = dataset_info("antmaze-medium-stitch-v0")
    used = open_collector(info, write_expert(tmp_path))
    first = collect_episode(used, episode_rng(0, "train", 0), 60)
    other = collect_episode(used, episode_rng(0, "train", 1), 60)
    again = collect_episode(used, episode_rng(0, "train", 0), 60)
    assert all(np.array_equal(first[key], again[key]) for key in first)
    assert not np.array_equal(first["qpos"], other["qpos"])
    assert (first["observations"].shape, first["actions"].shape) == ((60, 29), (60, 8))


def test_an_ant_acts_by_its_expert_and_a_little_noise(tmp_path):
    collector = MazeCollector(dataset_info("antmaze-medium-navigate-v0"), write_expert(tmp_path))
    steps = collector.steps(np.random.default_rng(0))
    said: list[np.ndarray] = []
    policy = collector._policy
    collector._policy = lambda state, direction: said.append(policy(state, direction)) or said[-1]
    actions = np.array([next(steps)[1] for _ in range(200)])
    inner = (actions - said)[np.abs(said) < 0.4]
    assert len(said) == 200
    assert len(inner) > 400
    assert (np.mean(inner), np.std(inner)) == (pytest.approx(0.0, abs=0.03), pytest.approx(0.2, rel=0.1))


def test_the_expert_is_the_network_of_its_description(tmp_path):
    arrays, rng = expert_arrays(), np.random.default_rng(1)
    kernels, biases = ([arrays[f"{name}_{k}"] for k in range(3)] for name in ("kernel", "bias"))
    state, direction = rng.normal(size=29), np.array([0.6, 0.8])
    import jax

    hidden = np.concatenate([state[2:], direction])
    for kernel, bias in zip(kernels[:2], biases[:2], strict=True):
        hidden = np.asarray(jax.nn.gelu(hidden @ kernel + bias, approximate=True))
    expected = np.tanh(hidden @ kernels[2] + biases[2])
    np.testing.assert_allclose(load_expert(write_expert(tmp_path))(state, direction), expected, atol=1e-5)
